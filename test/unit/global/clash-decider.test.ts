import { beforeEach, describe, expect, test } from "vitest";
import { ClashDecider } from "../../../src/global/clash-decider.ts";
import type { ClashMessage } from "../../../src/global/messages.ts";
import type { Owner } from "../../../src/global/owner.ts";
import type { NodeId } from "../../../src/kernel/ids.ts";
import { nodeNamed, put, RecordedTable } from "./entries.ts";

const [self, b, c] = [nodeNamed("a"), nodeNamed("b"), nodeNamed("c")];

describe("who decides a clash", () => {
  let recorded: RecordedTable;
  let asked: [NodeId, Extract<ClashMessage, { kind: "promise" }>][];
  let runs: number;
  let decider: ClashDecider;

  beforeEach(() => {
    recorded = new RecordedTable();
    asked = [];
    runs = 0;
    const port = {
      self,
      scope: "default",
      table: recorded.table,
      resolverMs: 1_000,
      positionOf: (node: NodeId) => recorded.positions.get(node) ?? 0,
      isUp: (node: NodeId) => node !== self,
      deliver: (to: NodeId, message: ClashMessage) => {
        if (message.kind === "promise") asked.push([to, message]);
      },
      resolve: () => {
        runs += 1;
      },
      resolverOf: () => 0,
      counted: () => {},
    };
    decider = new ClashDecider(port, undefined as unknown as Owner);
    recorded.apply(self, 1, put("x", { atMs: 1 }));
    recorded.apply(b, 1, put("x", { atMs: 2 }));
    recorded.apply(c, 1, put("x", { atMs: 3 }));
    decider.nameTouched("x", 0);
  });

  /** Whoever is asked promises, and has read so far of c. */
  function promise(upTo: number, nowMs: number): void {
    for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
      const [to, { scope, clash, name, id }] = next;
      const known = [{ owner: c, sequence: upTo }];
      const status = { kind: "promised" } as const;
      const position = to === c ? upTo : 1;
      decider.message(to, { kind: "promised", scope, clash, name, id, status, position, known }, nowMs);
    }
  }

  test("reads first what those who promise have read", () => {
    promise(2, 0);
    expect(runs).toBe(0);
    recorded.apply(c, 2, put("x", { id: 1, atMs: 3, meta: 2 }));
    decider.nameTouched("x", 10);
    expect(runs).toBe(1);
  });

  test("looks again, when what was to be read was of other names", () => {
    promise(2, 0);
    recorded.apply(c, 2, put("y"));
    decider.tick(300);
    expect(runs).toBe(1);
  });

  // c says something new of itself every 100 ms, and b reads it 200 ms before this node does.
  test("comes to an end though a promiser is always ahead of it", () => {
    for (let sequence = 2; sequence < 40; sequence += 1) {
      promise(sequence + 2, 100 * sequence);
      recorded.apply(c, sequence, put("x", { id: 1, atMs: 3, meta: sequence }));
      decider.nameTouched("x", 100 * sequence);
      decider.tick(100 * sequence);
    }
    expect(runs).toBe(1);
  });

  test("asks for all promises again when the winner could not be pinned", () => {
    const clash = `${self}:1`;
    promise(1, 0);
    decider.resolved(clash, { kind: "failed" }, 10);
    decider.message(
      self,
      { kind: "pinned", scope: "default", clash, name: "x", done: false, position: 1 },
      20,
    );
    recorded.apply(c, 2, put("x", { id: 1, atMs: 3, meta: 2 }));
    decider.nameTouched("x", 30);
    expect(runs).toBe(1);
    decider.tick(1_000);
    promise(2, 1_000);
    expect(runs).toBe(2);
  });
});
