import { readFileSync, writeFileSync } from "node:fs";
import { realClock } from "../node/real-clock.ts";
import type { Diagram } from "../sim/diagram.ts";
import { svgOf } from "../sim/diagram-svg.ts";
import { type Plan, parsePlan } from "../sim/plan.ts";
import { reportOf, textOfReport } from "../sim/report.ts";
import { runMany } from "../sim/run-many.ts";
import type { Summary } from "../sim/summary.ts";
import { TIERS } from "../sim/tiers.ts";
import { runLeaseSeeds, tellLeases } from "./sim/leases.ts";
import { readOptions, type SimOptions, USAGE, UsageError } from "./sim/options.ts";
import { isBad, progressLine, summaryText } from "./sim/page.ts";
import { runShares, serveShare } from "./sim/shares.ts";

/*
 * `npm run sim`: carries out plan after plan of what programs do and what goes wrong, on the core alone or on whole nodes, and
 * looks after each event whether every rule holds. Exit code 1: a rule was broken, or a mark that so many seeds must reach was not.
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
  if (options.isShare) {
    await serveShare(options, realClock);
    return 0;
  }
  if (options.workload === "leases" && options.seed !== undefined) {
    const { isBad: isBroken, text } = tellLeases(options.seed);
    process.stdout.write(`${text}\n`);
    return isBroken ? 1 : 0;
  }
  if (options.plan !== undefined) return runOne(readPlan(options.plan), options);
  if (options.seed !== undefined) return runOne(TIERS[options.tier].generate(options.seed), options);
  return runAll(options);
}

async function runAll(options: SimOptions): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const { signal } = interrupted;
  const tier = TIERS[options.tier];
  const onProgress = progressTeller(options.seeds);
  const summary =
    options.workload === "leases"
      ? await runLeaseSeeds({ ...options, clock: realClock, onProgress, signal })
      : options.jobs > 1
        ? await runShares(options, realClock, onProgress, signal)
        : await runMany({ ...options, clock: realClock, onProgress, signal });
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
async function runOne(plan: Plan, { tier, json, svg, plan: file }: SimOptions): Promise<number> {
  const { events, hash, marks, violation } = await TIERS[tier].run(plan);
  if (violation === undefined) {
    const text = json
      ? JSON.stringify({ tier, seed: plan.seed, events, hash, marks }, null, 2)
      : `Plan ${plan.seed}: no rule was broken in ${events} events (${hash})`;
    process.stdout.write(`${text}\n`);
    if (svg !== undefined) process.stderr.write(`${svg} was not written: only a run that fails is drawn\n`);
    return 0;
  }
  process.stderr.write(`Rule broken: ${violation.invariant}. Looking for a smaller plan…\n`);
  const report = await reportOf(plan, TIERS[tier]);
  if (report === undefined) {
    process.stdout.write(`${violation.invariant}: ${violation.seen}\n`);
    return 1;
  }
  if (svg !== undefined) writePicture(svg, report.diagram);
  const { seed, invariant, seen, atMs } = report;
  const found = { tier, seed, invariant, seen, atMs, plan: report.plan };
  process.stdout.write(`${json ? JSON.stringify(found, null, 2) : textOfReport(report, file)}\n`);
  return 1;
}

function readPlan(file: string): Plan {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--plan cannot be read: ${messageOf(error)}`);
  }
  try {
    return parsePlan(text);
  } catch (error) {
    throw new UsageError(`${file} is no plan: ${messageOf(error)}`);
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
