// `npm run bench`: measures Rollcall beside the plain NATS client. See docs/benchmarks.md.
import { writeFileSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { NatsServer } from "../test/support/nats-server.ts";
import { type Build, buildWorkers } from "./build.ts";
import type { Benchmark } from "./contest.ts";
import { type ContestResult, runContest } from "./contest-run.ts";
import { Crew } from "./crew.ts";
import { machineFacts } from "./machine.ts";
import { type BenchOptions, readOptions, USAGE, UsageError } from "./options.ts";
import { type BenchReport, writeReport } from "./report.ts";

/** As a shell reports a program that was ended by Ctrl-C. */
const INTERRUPTED = 130;
const FAILED = 1;

// Debian puts servers where the PATH of an ordinary user does not look.
process.env["PATH"] = [process.env["PATH"] ?? "", "/usr/sbin", "/usr/local/bin"].join(delimiter);

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else publish(await run(options), options);
} catch (error) {
  process.exitCode ||= FAILED;
  const isPlain = error instanceof UsageError || process.exitCode === INTERRUPTED;
  console.error(error instanceof Error ? (isPlain ? error.message : error.stack) : error);
}

async function run(options: BenchOptions): Promise<BenchReport> {
  const startedAt = new Date().toISOString();
  const machine = machineFacts();
  const interruption = interrupted();
  using build = buildWorkers();
  await using server = await NatsServer.start();
  const benchmarks: ContestResult[] = [];
  for (const benchmark of options.benchmarks) {
    benchmarks.push(await runBenchmark(benchmark, build, server, options, interruption));
  }
  return { startedAt, machine, quick: options.quick, benchmarks };
}

/** With processes of its own, so that no benchmark finds what another has left in them. */
async function runBenchmark(
  benchmark: Benchmark,
  build: Build,
  server: NatsServer,
  options: BenchOptions,
  interruption: Promise<never>,
): Promise<ContestResult> {
  await using crew = await Crew.start({
    program: build.worker,
    url: server.url,
    serverPid: server.pid ?? 0,
    benchmark: benchmark.name,
    nodeOptions: (index) => profiling(options.profile, `${benchmark.name}-${index}`),
  });
  const contest = runContest(crew, benchmark, {
    items: options.quick ? benchmark.items.quick : benchmark.items.full,
    rounds: options.rounds,
    alone: options.profile !== undefined,
    onRound: (number) => progress(benchmark, number, options.rounds),
  });
  const result = await Promise.race([contest, interruption]);
  await crew.stop();
  return result;
}

function profiling(folder: string | undefined, name: string): readonly string[] {
  if (folder === undefined) return [];
  return ["--cpu-prof", `--cpu-prof-dir=${resolve(folder)}`, `--cpu-prof-name=${name}.cpuprofile`];
}

function progress(benchmark: Benchmark, number: number, rounds: number): void {
  if (!process.stderr.isTTY) return;
  const text = number === 0 ? "warm-up" : `round ${number} of ${rounds}`;
  process.stderr.write(`\r\u001b[K${benchmark.name}: ${text}`);
  if (number === rounds) process.stderr.write("\r\u001b[K");
}

function publish(report: BenchReport, options: BenchOptions): void {
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  const table = `${writeReport(report)}\n`;
  if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, json);
  if (options.json) process.stdout.write(json);
  (options.json ? process.stderr : process.stdout).write(table);
}

/** Rejects at Ctrl-C: so all that was started is ended on the way out. */
function interrupted(): Promise<never> {
  const promise = new Promise<never>((_resolve, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        process.exitCode = INTERRUPTED;
        reject(new Error(`ended by ${signal}`));
      });
    }
  });
  // Whoever races it hears of it.
  promise.catch(() => {});
  return promise;
}
