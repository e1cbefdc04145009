import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MODEL_RUNS } from "../../scripts/model-runs.ts";
import { complaintOf, type ModelRun, readSearch } from "../../scripts/spin.ts";

const model = readFileSync(new URL("../../docs/models/strict-names.pml", import.meta.url), "utf8");

const COMPLETE = `
(Spin Version 6.5.2 -- 6 December 2019)

State-vector 60 byte, depth reached 45, errors: 0
   802393 states, stored
  2788068 states, matched
  3590461 transitions (= stored+matched)

pan: elapsed time 1.93 seconds
`;
const VIOLATED = `
pan:1: assertion violated tokensRise (at depth 14)
pan: wrote model.pml.trail

Warning: Search not completed

State-vector 60 byte, depth reached 14, errors: 1
    36918 states, stored
pan: elapsed time 0.12 seconds
`;
const OUT_OF_MEMORY = `
pan: reached -DMEMLIM bound
Warning: Search not completed

State-vector 60 byte, depth reached 62, errors: 0
 1.23e+08 states, stored
pan: elapsed time 90 seconds
`;
const TOO_DEEP = `error: max search depth too small\n${COMPLETE}`;

function runThat(expected: ModelRun["expected"]): ModelRun {
  return { name: "a run", define: [], expected };
}

describe("what a search comes to", () => {
  test("a search of every state without an error holds", () => {
    expect(readSearch(COMPLETE)).toMatchObject({
      result: "holds",
      states: 802_393,
      steps: 45,
      seconds: 1.93,
    });
  });

  test("the step that breaks a claim counts as one of its counterexample", () => {
    expect(readSearch(VIOLATED)).toMatchObject({ result: "tokensRise", states: 36_918, steps: 15 });
  });

  test.each([
    ["memory ran out", OUT_OF_MEMORY],
    ["the way was too long", TOO_DEEP],
    ["nothing was compiled", "pan.c:31: error"],
    ["nothing was said", ""],
    ["a bound of the model was reached", VIOLATED.replace("tokensRise", "(newToken<15)")],
  ])("%s: neither", (_why, output) => {
    expect(readSearch(output).result).toBe("incomplete");
  });

  test("the steps of a counterexample are those that the model wrote", () => {
    const replay =
      "GRANTS(0, 1)\n  1:\tproc  0 (world) model.pml:412 [D_STEP412]\nIS_STORED(1)\n(struct server)";
    expect(readSearch(VIOLATED, replay).trace).toEqual(["GRANTS(0, 1)", "IS_STORED(1)"]);
  });
});

describe("whether that is what it has to come to", () => {
  test("no complaint when it is", () => {
    expect(complaintOf(runThat("holds"), readSearch(COMPLETE))).toBeUndefined();
    expect(complaintOf(runThat("tokensRise"), readSearch(VIOLATED))).toBeUndefined();
  });

  test.each<[string, ModelRun["expected"], string]>([
    ["a sound protocol that is broken", "holds", VIOLATED],
    ["a broken protocol that is not found", "tokensRise", COMPLETE],
    ["a protocol that breaks another claim", "isOnlyHolder", VIOLATED],
    ["a search for an error that did not end", "tokensRise", OUT_OF_MEMORY],
    ["a search of everything that did not end", "holds", OUT_OF_MEMORY],
    ["a model in which nothing happens", "holds", COMPLETE.replace("802393", "38")],
    ["a search that says nothing of its states", "holds", COMPLETE.replace("802393 states, stored", "")],
  ])("%s", (_what, expected, output) => {
    expect(complaintOf(runThat(expected), readSearch(output))).toEqual(expect.any(String));
  });
});

describe("the runs", () => {
  test("what they define is something that the model asks for", () => {
    const asked = new Set(
      model.match(/^#(?:ifndef|ifdef|if|elif) .*$/gm)?.flatMap((line) => line.match(/\w+/g) ?? []),
    );
    const defined = MODEL_RUNS.flatMap(({ define }) => define.map((each) => each.split("=")[0] ?? ""));
    expect(defined.filter((name) => !asked.has(name))).toEqual([]);
    expect(new Set(defined)).toContain("ALWAYS_CONFIRM");
  });

  test("each has a name of its own", () => {
    expect(new Set(MODEL_RUNS.map(({ name }) => name)).size).toBe(MODEL_RUNS.length);
  });

  test("what they expect to be broken is asserted", () => {
    for (const { expected } of MODEL_RUNS) {
      if (expected !== "holds") expect(model).toContain(`assert(${expected})`);
    }
  });
});
