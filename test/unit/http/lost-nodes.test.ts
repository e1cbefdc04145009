import { beforeEach, describe, expect, test } from "vitest";
import { LostNodesTable } from "../../../src/http/lost-nodes.ts";

const NOON = "2026-01-01T12:00:00.000Z";
const LATER = "2026-01-01T12:00:20.000Z";
const SILENT = { kind: "nodeDown", node: "perth@1", cause: "silent" };

describe("the nodes that went down lately", () => {
  let up: Map<string, string>;
  let turn: (() => void)[];
  let told: { readonly key: string; readonly event: string; readonly text: string }[];
  let table: LostNodesTable;

  beforeEach(() => {
    up = new Map([["perth@1", "perth"]]);
    turn = [];
    told = [];
    const nodes = {
      has: (id: string) => up.has(id),
      hasName: (name: string) => [...up.values()].includes(name),
    };
    table = new LostNodesTable((run) => turn.push(run), nodes);
    table.tellTo({ append: (change) => told.push(change) });
  });

  const down = (id = "perth@1", name = "perth", at = NOON) => {
    up.delete(id);
    table.see("nodes", { event: "down", key: id, told: { id, name, reason: SILENT } }, at);
  };
  const comesUp = (id: string, name: string, at: string) => {
    up.set(id, name);
    table.see("nodes", { event: "up", key: id, told: { id, name } }, at);
  };
  const purged = (reason: object = SILENT) =>
    table.see("names", { event: "unregistered", key: "a", told: { reason } }, NOON);
  const left = () => table.see("groups", { event: "left", key: "g", told: { reason: SILENT } }, NOON);
  const rows = () => Array.from(table.rows(), (row) => JSON.parse(row.text()) as Record<string, unknown>);

  test("count what was purged with them, before and after they are told to be down", () => {
    purged();
    left();
    down();
    purged();
    purged({ kind: "normal" });
    expect(rows()).toEqual([
      { id: "perth@1", name: "perth", reason: SILENT, at: NOON, names: 2, members: 1 },
    ]);
  });

  test("tell of a whole purge once, at the end of the turn", () => {
    down();
    for (let count = 0; count < 1_000; count += 1) purged();
    expect(told).toEqual([]);
    expect(turn).toHaveLength(1);
    for (const run of turn) run();
    expect(told.map(({ event, key }) => [event, key])).toEqual([["lost", "perth@1"]]);
    expect(JSON.parse(told[0]?.text ?? "")).toMatchObject({ names: 1_000 });
  });

  test("say when one is heard again, and count anew when it is lost again", () => {
    purged();
    down();
    comesUp("perth@1", "perth", LATER);
    expect(rows()).toMatchObject([{ names: 1, backAt: LATER }]);
    purged();
    purged();
    down();
    expect(rows()).toEqual([
      { id: "perth@1", name: "perth", reason: SILENT, at: NOON, names: 2, members: 0 },
    ]);
  });

  test("are back when their next incarnation is, whichever is told first", () => {
    comesUp("perth@2", "perth", LATER);
    down("perth@1", "perth", LATER);
    purged();
    expect(rows()).toMatchObject([{ id: "perth@1", backAt: LATER, names: 1 }]);
    up.delete("perth@2");
    down("oslo@1", "oslo");
    comesUp("oslo@2", "oslo", LATER);
    expect(rows()).toMatchObject([{ id: "perth@1" }, { id: "oslo@1", backAt: LATER }]);
  });

  test("are forgotten from the oldest on", () => {
    for (let count = 0; count < 150; count += 1) down(`n${count}@1`, `n${count}`);
    expect(rows()).toHaveLength(100);
    expect(rows()[0]).toMatchObject({ name: "n50" });
  });
});
