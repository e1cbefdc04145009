import { readFileSync, writeFileSync } from "node:fs";
import { realClock } from "../node/real-clock.ts";
import type { AnyPlan } from "../sim/any-plan.ts";
import type { Diagram } from "../sim/diagram.ts";
import { svgOf } from "../sim/diagram-svg.ts";
import { reportOf, textOfReport } from "../sim/report.ts";
import { runMany } from "../sim/run-many.ts";
import type { Summary } from "../sim/summary.ts";
import type { Tier } from "../sim/tier.ts";
import { onTier } from "../sim/tiers.ts";
import { readOptions, type SimOptions, USAGE, UsageError } from "./sim/options.ts";
import { isBad, progressLine, summaryText } from "./sim/page.ts";
import { runShares, serveShare } from "./sim/shares.ts";

/*
 * `npm run sim`: carries out plan after plan of what programs do and what goes wrong, on the core alone, on whole
 * nodes or on lease servers, and looks after each event whether every rule holds. Exit code 1: a rule was broken, or a mark that so many seeds must reach was not.
 */

/** Exit codes, as shells have them: for a program that was called wrongly, and for one that Ctrl-C ended. */
const MISUSED = 2;
const INTERRUPTED = 130;

/** How often progress is told where lines cannot be written over. */
const LINE_EVERY_MS = 5_000;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  return onTier(options.tier, (tier) => carryOut(tier, options));
}

async function carryOut<P extends AnyPlan>(tier: Tier<P>, options: SimOptions): Promise<number> {
  if (options.isShare) {
    await serveShare(tier, realClock);
    return 0;
  }
  if (options.plan !== undefined) return runOne(readPlan(options.plan, tier), tier, options);
  if (options.seed !== undefined) return runOne(tier.generate(options.seed), tier, options);
  return runAll(tier, options);
}

async function runAll<P extends AnyPlan>(tier: Tier<P>, options: SimOptions): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const { signal } = interrupted;
  const many = { ...options, tier, clock: realClock, onProgress: progressTeller(options.seeds), signal };
  const summary = await (options.jobs > 1 ? runShares(many) : runMany(many));
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  process.stdout.write(`${options.json ? JSON.stringify(summary, null, 2) : summaryText(summary, tier)}\n`);
  if (signal.aborted) return INTERRUPTED;
  return isBad(summary, tier) ? 1 : 0;
}

function progressTeller(seeds: number): (summary: Summary) => void {
  let toldMs = realClock.now().monotonicMs;
  return (summary) => {
    const line = progressLine(summary, seeds);
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${line}\x1b[K`);
      return;
    }
    const nowMs = realClock.now().monotonicMs;
    if (nowMs - toldMs < LINE_EVERY_MS) return;
    toldMs = nowMs;
    process.stderr.write(`${line}\n`);
  };
}

/** One plan: what became of it, and, if it fails, everything about it. */
async function runOne<P extends AnyPlan>(
  plan: P,
  tier: Tier<P>,
  { json, svg, plan: file }: SimOptions,
): Promise<number> {
  const { events, hash, marks, violation } = await tier.run(plan);
  if (violation === undefined) {
    const text = json
      ? JSON.stringify({ tier: tier.name, seed: plan.seed, events, hash, marks }, null, 2)
      : `Plan ${plan.seed}: no rule was broken in ${events} events (${hash})`;
    process.stdout.write(`${text}\n`);
    if (svg !== undefined) process.stderr.write(`${svg} was not written: only a run that fails is drawn\n`);
    return 0;
  }
  process.stderr.write(`Rule broken: ${violation.invariant}. Looking for a smaller plan…\n`);
  const report = await reportOf(plan, tier);
  if (report === undefined) {
    process.stdout.write(`${violation.invariant}: ${violation.seen}\n`);
    return 1;
  }
  if (svg !== undefined) writePicture(svg, report.diagram);
  const { seed, invariant, seen, atMs } = report;
  const found = { tier: tier.name, seed, invariant, seen, atMs, plan: report.plan };
  process.stdout.write(`${json ? JSON.stringify(found, null, 2) : textOfReport(report, file)}\n`);
  return 1;
}

function readPlan<P extends AnyPlan>(file: string, { parse }: Tier<P>): P {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--plan cannot be read: ${messageOf(error)}`);
  }
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`${file} is no plan that could be run: ${messageOf(error)}`);
  }
}

function writePicture(file: string, diagram: Diagram): void {
  try {
    writeFileSync(file, svgOf(diagram));
  } catch (error) {
    // The failure itself is still to be told.
    process.stderr.write(`--svg cannot be written: ${messageOf(error)}\n`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(
      `${error instanceof UsageError ? error.message : ((error as Error).stack ?? error)}\n`,
    );
    process.exitCode = error instanceof UsageError ? MISUSED : 1;
  },
);
