import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the model asserts, by the names that it gives to it. */
export type Claim = "isOnlyHolder" | "tokensRise" | "isNewToken";

/** One search, and what has to come of it. */
export interface ModelRun {
  readonly name: string;
  /** Definitions for the model: `CRASHES=1`, `NO_GUARD`. */
  readonly define: readonly string[];
  /** `holds`: nothing is found in any state. Else the claim that is broken. */
  readonly expected: "holds" | Claim;
}

export interface Search {
  /** `incomplete`: it ended for another reason, so that nothing can be said. */
  readonly result: "holds" | Claim | "incomplete";
  readonly states: number;
  /** Of a counterexample; else of the longest way that was gone. */
  readonly steps: number;
  readonly seconds: number;
  readonly output: string;
  /** Of a counterexample, if they were asked for: `GRANTS(0, 1)`. The one that breaks the claim is not among them. */
  readonly trace: readonly string[];
}

/** The program that searches gives up past this. */
const MOST_MEGABYTES = 4_000;

/** A model in which nobody can do anything breaks no rule either. */
const LEAST_STATES = 10_000;

const CLAIMS: readonly string[] = ["isOnlyHolder", "tokensRise", "isNewToken"] satisfies readonly Claim[];

/**
 * @param output all that the program which spin has made says of its search
 * @param replay what it says when it goes the way to the counterexample again: the model itself writes the steps
 */
export function readSearch(output: string, replay = ""): Search {
  const numberIn = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const violated = /assertion violated (.*) \(at depth \d+\)/.exec(output)?.[1];
  const depth = numberIn(/depth reached (\d+)/);
  const isComplete =
    /errors: 0$/m.test(output) && !/Search not completed|max search depth too small/.test(output);
  let result: Search["result"] = "incomplete";
  if (violated !== undefined && isClaim(violated)) result = violated;
  else if (violated === undefined && isComplete) result = "holds";
  return {
    result,
    states: numberIn(/^\s*([\d.e+]+) states, stored/m),
    // The last step, which breaks the rule, is not counted in the depth.
    steps: violated === undefined ? depth : depth + 1,
    seconds: numberIn(/elapsed time ([\d.e+]+) seconds/),
    output,
    trace: replay.split("\n").filter((line) => /^[A-Z_]+\(.*\)$/.test(line)),
  };
}

/** @returns what is wrong about the outcome of a run; undefined: nothing */
export function complaintOf(run: ModelRun, search: Search): string | undefined {
  const { result, states } = search;
  if (result === "incomplete") return `the search did not come to an end: ${lastLineOf(search.output)}`;
  if (result !== run.expected) return `expected ${run.expected}, found ${result}`;
  if (result === "holds" && !(states >= LEAST_STATES))
    return `only ${states} states: nothing much can have happened in them`;
  return undefined;
}

/** The programs that are not installed. */
export function missingPrograms(): readonly string[] {
  return ["spin", "gcc"].filter(
    (program) => spawnSync(program, [program === "spin" ? "-V" : "--version"]).status !== 0,
  );
}

/** @param shown whether to tell the steps of a counterexample, which takes longer to find then */
export function search(model: string, run: ModelRun, shown = false): Search {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-model-"));
  const call = (program: string, args: readonly string[]): string => {
    const { error, stdout, stderr } = spawnSync(program, args, {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    return `${stdout ?? ""}${stderr ?? ""}${error === undefined ? "" : error.message}`;
  };
  try {
    copyFileSync(model, join(folder, "model.pml"));
    const define = [...run.define, ...(shown ? ["SYMMETRY=0"] : [])].map((each) => `-D${each}`);
    const made = call("spin", ["-a", ...define, "model.pml"]);
    // Breadth first finds a shortest counterexample; depth first needs less memory where there is none.
    const breadth = run.expected === "holds" ? [] : ["-DBFS"];
    const options = ["-O2", "-w", "-DSAFETY", `-DMEMLIM=${MOST_MEGABYTES}`, ...breadth];
    const compiled = call("gcc", [...options, "-o", "pan", "pan.c"]);
    // It may end in any state. Some 2^25 states are looked up at full speed.
    const output = call("./pan", ["-E", "-m100000", "-w25"]);
    const replay = shown && output.includes("assertion violated") ? call("./pan", ["-r"]) : "";
    return readSearch(`${made}${compiled}${output}`, replay);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isClaim(text: string): text is Claim {
  return CLAIMS.includes(text);
}

function lastLineOf(output: string): string {
  return output.trim().split("\n").at(-1) ?? "";
}
