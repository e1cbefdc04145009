import { describe, expect, test } from "vitest";
import { superseding, unitedWith } from "../../../src/global/superseding.ts";
import { nodeNamed, put, RecordedTable } from "./entries.ts";

const [a, b] = [nodeNamed("a"), nodeNamed("b")];
const BY_B = [{ owner: b, id: 4, how: "takenOver" }] as const;

describe("what was superseded", () => {
  test("stays so while it stands", () => {
    const { table, apply } = recorded();
    apply(put("x"));
    expect(superseding({ table, isUp: () => true }, "x", BY_B)).toEqual({
      supersedes: BY_B,
      ended: undefined,
    });
  });

  test("is over once it is a tombstone, though that supersedes in turn: else two would wait for each other", () => {
    const { table, apply } = recorded();
    apply(put("x", { serial: 0, supersedes: [{ owner: a, id: 1, how: "takenOver" }] }));
    expect(superseding({ table, isUp: () => true }, "x", BY_B)).toEqual({
      supersedes: [],
      ended: [{ owner: b, id: 4 }],
    });
  });
});

function recorded() {
  const world = new RecordedTable();
  return { table: world.table, apply: (operation: ReturnType<typeof put>) => world.apply(b, 4, operation) };
}

test("a registration that lost a clash stays one that did, though its winner is taken over", () => {
  const lost = { owner: b, id: 4, how: "clashExit" } as const;
  const taken = { owner: b, id: 4, how: "takenOver" } as const;
  expect(unitedWith([lost], [taken], a)).toEqual([lost]);
  expect(unitedWith([taken], [lost], a)).toEqual([lost]);
});
