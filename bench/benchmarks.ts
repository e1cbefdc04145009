import { deliveries, textDeliveries } from "./benchmarks/deliveries.ts";
import { joins } from "./benchmarks/joins.ts";
import { registrations } from "./benchmarks/registrations.ts";
import type { Benchmark, Contestant } from "./contest.ts";

export const BENCHMARKS: readonly Benchmark[] = [registrations, joins, deliveries, textDeliveries];

export function benchmarkNamed(name: string): Benchmark {
  const found = BENCHMARKS.find((benchmark) => benchmark.name === name);
  if (found === undefined) throw new Error(`no benchmark is called ${JSON.stringify(name)}`);
  return found;
}

export function contestantsOf(benchmark: Benchmark): readonly Contestant[] {
  return [benchmark.ours, ...benchmark.others];
}
