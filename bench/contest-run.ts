import { contestantsOf } from "./benchmarks.ts";
import type { Benchmark, Contestant, ItemBytes } from "./contest.ts";
import type { Crew, Span } from "./crew.ts";
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
  /** One for each round that counts. */
  readonly spans: readonly Span[];
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
  const spans = new Map<Contestant, Span[]>(contestants.map((contestant) => [contestant, []]));
  let itemBytes: ItemBytes = { toAll: 0, toOne: 0 };
  for (let number = 0; number <= rounds; number += 1) {
    options.onRound(number);
    for (const contestant of contestants) {
      const { sent, ...span } = await crew.race(contestant, { number, items, itemBytes });
      if (contestant === benchmark.ours) itemBytes = perItem(sent, items);
      if (number > 0) spans.get(contestant)?.push(span);
    }
  }
  const { name, unit, what, mark, unitsPerItem } = benchmark;
  const resultOf = (contestant: Contestant): ContestantResult =>
    judge(contestant, spans.get(contestant) ?? [], items * unitsPerItem);
  const ours = resultOf(benchmark.ours);
  const others = contestants.slice(1).map((rival) => compare(ours, resultOf(rival)));
  return { name, unit, what, items, rounds, itemBytes, mark, ours, others };
}

function judge({ name, does }: Contestant, spans: readonly Span[], units: number): ContestantResult {
  const rates = spans.map(({ beganMs, endedMs }) => (units * 1_000) / (endedMs - beganMs));
  return { name, does, spans, rates, rate: summarize(rates) };
}

function compare(ours: ContestantResult, rival: ContestantResult): RivalResult {
  const ratios = ours.rates.map((rate, round) => rate / (rival.rates[round] ?? Number.NaN));
  return { ...rival, ratios, ratio: summarize(ratios) };
}

function perItem(sent: ItemBytes, items: number): ItemBytes {
  return { toAll: Math.round(sent.toAll / items), toOne: Math.round(sent.toOne / items) };
}
