import { expect, test } from "vitest";
import { Notebook } from "../../../../examples/ap-and-cp/notebook.ts";
import { AVAILABLE } from "./cast.ts";

function setUp() {
  const clock = { ms: 0 };
  return { clock, notebook: new Notebook("strict", () => clock.ms), round: AVAILABLE };
}

test("what is written down has the times at which it happened", () => {
  const { clock, notebook, round } = setUp();
  const a = notebook.started("a", 7n);
  notebook.ticked("a", 1);
  clock.ms = 5;
  a.ended();
  expect(notebook.running).toEqual([]);
  clock.ms = 6;
  a.because("leaseLost");
  notebook.refused("a");
  notebook.started("b", undefined);
  expect(notebook.running).toEqual(["b"]);
  notebook.resolved({ by: "b", contenders: ["a", "b"], kept: "b" });
  clock.ms = 9;
  expect(notebook.close(round)).toMatchObject({
    kind: "strict",
    endMs: 9,
    holdings: [
      { node: "a", fromMs: 0, toMs: 5, end: "leaseLost", token: "7" },
      { node: "b", fromMs: 6, toMs: 9, end: "stillRunning" },
    ],
    ticks: [{ number: 1, node: "a", atMs: 0 }],
    refusals: [{ node: "a", atMs: 6 }],
    decisions: [{ by: "b", atMs: 6, kept: "b" }],
  });
});

test("what happens after the end of the round is not part of it", () => {
  const { clock, notebook, round } = setUp();
  const a = notebook.started("a", 7n);
  clock.ms = 5;
  const closed = structuredClone(notebook.close(round));
  clock.ms = 6;
  a.ended();
  notebook.started("b", 8n);
  notebook.ticked("a", 2);
  notebook.refused("a");
  notebook.resolved({ by: "b", contenders: [], kept: "b" });
  expect(notebook.close(round)).toEqual({
    ...closed,
    endMs: 6,
    holdings: [{ ...closed.holdings[0], toMs: 6 }],
  });
});
