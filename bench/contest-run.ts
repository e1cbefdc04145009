import { contestantsOf } from "./benchmarks.ts";
import type { Benchmark, Contestant, ItemBytes } from "./contest.ts";
import type { Crew } from "./crew.ts";
import { type Summary, summarize } from "./statistics.ts";

export interface ContestOptions {
  readonly items: number;
  /** After one that warms up and does not count. */
  readonly rounds: number;
  /** Leaves the others out: for a profile. */
  readonly alone: boolean;
  onRound(number: number): void;
}

/** What came of a benchmark. Rates are per second. */
export interface ContestResult {
  readonly name: string;
  readonly unit: string;
  readonly what: string;
  readonly items: number;
  readonly rounds: number;
  readonly itemBytes: ItemBytes;
  readonly mark: number;
  readonly ours: ContestantResult;
  readonly others: readonly RivalResult[];
}

export interface ContestantResult {
  readonly name: string;
  readonly does: string;
  readonly rates: readonly number[];
  readonly rate: Summary;
}

export interface RivalResult extends ContestantResult {
  /** Of our rate to its rate, round by round. */
  readonly ratios: readonly number[];
  readonly ratio: Summary;
}

/** Has the contestants take turns, so that whatever else the machine does meanwhile falls on all of them. */
export async function runContest(
  crew: Crew,
  benchmark: Benchmark,
  options: ContestOptions,
): Promise<ContestResult> {
  const { items, rounds, alone } = options;
  const contestants = alone ? [benchmark.ours] : contestantsOf(benchmark);
  for (const contestant of contestants) await crew.open(contestant);
  const rates = new Map<Contestant, number[]>(contestants.map((contestant) => [contestant, []]));
  let itemBytes: ItemBytes = { toAll: 0, toOne: 0 };
  for (let number = 0; number <= rounds; number += 1) {
    options.onRound(number);
    for (const contestant of contestants) {
      const lap = await crew.race(contestant, { number, items, itemBytes });
      if (contestant === benchmark.ours) itemBytes = perItem(lap.sent, items);
      if (number > 0) rates.get(contestant)?.push((items * benchmark.unitsPerItem * 1_000) / lap.ms);
    }
  }
  const resultOf = ({ name, does }: Contestant, own: readonly number[]): ContestantResult => ({
    name,
    does,
    rates: own,
    rate: summarize(own),
  });
  const ourRates = rates.get(benchmark.ours) ?? [];
  return {
    name: benchmark.name,
    unit: benchmark.unit,
    what: benchmark.what,
    items,
    rounds,
    itemBytes,
    mark: benchmark.mark,
    ours: resultOf(benchmark.ours, ourRates),
    others: contestants.slice(1).map((rival) => {
      const rivalRates = rates.get(rival) ?? [];
      const ratios = ourRates.map((rate, round) => rate / (rivalRates[round] ?? Number.NaN));
      return { ...resultOf(rival, rivalRates), ratios, ratio: summarize(ratios) };
    }),
  };
}

function perItem(sent: ItemBytes, items: number): ItemBytes {
  return { toAll: Math.round(sent.toAll / items), toOne: Math.round(sent.toOne / items) };
}
