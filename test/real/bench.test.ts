import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { BENCHMARKS } from "../../bench/benchmarks.ts";
import type { BenchReport } from "../../bench/report.ts";

const BENCH = fileURLToPath(new URL("../../bench/run.ts", import.meta.url));
const LONG_MS = 180_000;

test(
  "`bench --quick --json` completes, and sets each of our rates beside that of the plain client",
  async () => {
    const bench = spawn(process.execPath, ["--import", "tsx", BENCH, "--quick", "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let json = "";
    let errors = "";
    bench.stdout.on("data", (chunk: Buffer) => {
      json += chunk.toString();
    });
    bench.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    onTestFinished(() => void bench.kill());
    const [code] = await once(bench, "close");
    expect(code, errors).toBe(0);
    const { benchmarks, machine } = JSON.parse(json) as BenchReport;
    expect(machine.cores).toBeGreaterThan(0);
    expect(benchmarks.map(({ name }) => name)).toStrictEqual(BENCHMARKS.map(({ name }) => name));
    for (const { name, ours, others, itemBytes } of benchmarks) {
      expect(ours.rate.min, name).toBeGreaterThan(0);
      expect(itemBytes.toAll, name).toBeGreaterThan(0);
      expect(others.length, name).toBeGreaterThan(0);
      for (const rival of others) expect(rival.ratio.min, `${name}: ${rival.name}`).toBeGreaterThan(0);
    }
  },
  LONG_MS,
);
