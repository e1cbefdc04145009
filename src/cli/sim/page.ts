import { replayOf } from "../../sim/report.ts";
import type { Summary } from "../../sim/summary.ts";
import type { Terms } from "../../sim/tier.ts";

/** Failing seeds that are printed; all that were kept stand in the JSON. */
const SHOWN = 10;
const SEEN_LENGTH = 160;

/** One line, while it runs. */
export function progressLine(summary: Summary, seeds: number): string {
  const failed = failedOf(summary);
  return `${summary.seeds} of ${seeds} seeds, ${summary.seedsPerSecond} a second, ${failed} failed`;
}

export function failedOf({ failures }: Summary): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}

/** Whether the run shows that something is wrong: a rule broken, or so tame a weather that rules went untried. */
export function isBad(summary: Summary, { seedsForAllMarks }: Terms): boolean {
  return failedOf(summary) > 0 || (summary.seeds >= seedsForAllMarks && summary.unreached.length > 0);
}

/** The whole summary, for a person. */
export function summaryText(summary: Summary, tier: Terms): string {
  const { seedsForAllMarks } = tier;
  const { seeds, events, elapsedMs, seedsPerSecond, faults, marks, unreached } = summary;
  const each = seeds > 0 ? Math.round(events / seeds) : 0;
  const lines = [
    `${seeds} seeds in ${(elapsedMs / 1_000).toFixed(1)} s: ${seedsPerSecond} seeds a second, ${each} events a seed`,
    "",
    `${"fault".padEnd(14)}${"injected".padStart(10)}${"runs".padStart(10)}${"felt in".padStart(10)}`,
    ...Object.entries(faults).map(
      ([kind, count]) =>
        `${kind.padEnd(14)}${column(count.injected)}${column(count.runs)}${column(count.effective)}`,
    ),
    "",
    "marks reached, and in how many runs",
    ...Object.entries(marks)
      .sort(([, left], [, right]) => left - right)
      .map(([mark, count]) => `${column(count)}  ${mark}`),
    "",
    unreached.length === 0 ? "every mark was reached" : `marks not reached: ${unreached.join("; ")}`,
    seeds < seedsForAllMarks && unreached.length > 0
      ? `(they are only asked of ${seedsForAllMarks} seeds or more)`
      : "",
    ...violations(summary, tier),
  ];
  return lines.filter((line, index) => line !== "" || lines[index - 1] !== "").join("\n");
}

function violations(summary: Summary, tier: Terms): readonly string[] {
  const failed = failedOf(summary);
  if (failed === 0) return ["no rule was broken"];
  return [
    `${failed} seeds broke a rule:`,
    ...Object.entries(summary.failures).map(([invariant, count]) => `${column(count)}  ${invariant}`),
    ...summary.violations
      .slice(0, SHOWN)
      .flatMap(({ seed, invariant, seen }) => [
        `  ${invariant}: ${seen.slice(0, SEEN_LENGTH)}`,
        `    ${replayOf(tier, seed)}`,
      ]),
  ];
}

function column(count: number): string {
  return String(count).padStart(10);
}
