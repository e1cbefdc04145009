import type { AnyPlan } from "./any-plan.ts";
import { type Diagram, drawDiagram, textOf } from "./diagram.ts";
import type { TraceLine } from "./machine/telling.ts";
import { shrink } from "./shrink.ts";
import type { Terms, Tier } from "./tier.ts";

/** Everything that a person needs in order to look into a failing seed. */
export interface Report<P extends AnyPlan> {
  /** On which it fails. */
  readonly tier: Terms;
  readonly seed: string;
  readonly invariant: string;
  readonly seen: string;
  readonly atMs: number;
  /** The smallest plan that breaks the same rule. */
  readonly plan: P;
  readonly diagram: Diagram;
  /** Runs that it took to shrink the plan. */
  readonly runs: number;
}

/** Shrinks a failing plan and tells its run. Undefined: it does not fail. */
export async function reportOf<P extends AnyPlan>(failing: P, tier: Tier<P>): Promise<Report<P> | undefined> {
  const shrunk = await shrink(failing, tier);
  if (shrunk === undefined) return undefined;
  const lines: TraceLine[] = [];
  const { violation } = await tier.run(shrunk.plan, (line) => lines.push(line));
  if (violation === undefined) return undefined;
  return {
    tier,
    seed: failing.seed,
    ...violation,
    plan: shrunk.plan,
    diagram: drawDiagram(lines, shrunk.plan, tier.legend, violation),
    runs: shrunk.runs,
  };
}

/** @param file where the plan has been written to, if it has */
export function textOfReport(report: Report<AnyPlan>, file?: string): string {
  const replay =
    file === undefined ? replayOf(report.tier, report.seed) : commandOf(report.tier, "--plan", file);
  return [
    `Seed ${report.seed} breaks a rule: ${report.invariant}`,
    `Seen at ${report.atMs.toFixed(3)} ms: ${report.diagram.broken.seen}`,
    `Again: ${replay}`,
    "",
    `The smallest plan found (${report.runs} runs):`,
    textOfPlan(report.plan),
    "",
    textOf(report.diagram),
  ].join("\n");
}

/** The command that runs a seed again, and tells everything about it. */
export function replayOf(tier: Pick<Terms, "options">, seed: string): string {
  return commandOf(tier, "--seed", seed);
}

function commandOf({ options }: Pick<Terms, "options">, which: "--seed" | "--plan", what: string): string {
  return ["npm run sim --", ...options, which, quoted(what)].join(" ");
}

/** A word as a shell reads it. */
function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** JSON with a line for each operation and each fault. */
export function textOfPlan(plan: AnyPlan): string {
  const { operations, faults, ...rest } = plan;
  const list = (each: readonly object[]): string =>
    each.length === 0 ? "[]" : `[\n${each.map((one) => `    ${JSON.stringify(one)}`).join(",\n")}\n  ]`;
  const fields = Object.entries(rest).map(
    ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`,
  );
  return `{\n${[...fields, `  "operations": ${list(operations)}`, `  "faults": ${list(faults)}`].join(",\n")}\n}`;
}
