import type { Holding, Timeline } from "./timeline.ts";

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Measures {
  /** When two or more ran at once. */
  readonly overlaps: readonly Span[];
  /** When nobody ran, from the first start on. */
  readonly gaps: readonly Span[];
  /** Numbers of the work that was done more than once. */
  readonly twice: readonly number[];
  /** Numbers of the work between the first that was done and the last which nobody did. */
  readonly missed: readonly number[];
  /** How many pieces of work there were from the first that was done to the last. */
  readonly due: number;
}

export function measure(timeline: Timeline): Measures {
  const counts = new Map<number, number>();
  for (const { number } of timeline.ticks) counts.set(number, (counts.get(number) ?? 0) + 1);
  const done = [...counts.keys()].sort((left, right) => left - right);
  const first = done[0] ?? 0;
  const due = done.length === 0 ? 0 : (done.at(-1) ?? 0) - first + 1;
  const all = Array.from({ length: due }, (_, index) => first + index);
  return {
    overlaps: spansOf(timeline, (running) => running >= 2),
    gaps: spansOf(timeline, (running) => running === 0),
    twice: all.filter((number) => (counts.get(number) ?? 0) > 1),
    missed: all.filter((number) => !counts.has(number)),
    due,
  };
}

export function totalMs(spans: readonly Span[]): number {
  return spans.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
}

export function intersects(span: Span, other: Span): boolean {
  return span.fromMs < other.toMs && other.fromMs < span.toMs;
}

/** When as many ran as `holds` says, from the first start to the end of the round. Neighbouring spans are one. */
function spansOf(
  { holdings, endMs }: Pick<Timeline, "holdings" | "endMs">,
  holds: (running: number) => boolean,
): readonly Span[] {
  const edges = new Set([...holdings.flatMap(({ fromMs, toMs }) => [fromMs, toMs]), endMs]);
  const times = [...edges].sort((left, right) => left - right);
  const spans: { fromMs: number; toMs: number }[] = [];
  for (const [index, fromMs] of times.entries()) {
    const toMs = times[index + 1];
    if (toMs === undefined || !holds(running(holdings, { fromMs, toMs }))) continue;
    const last = spans.at(-1);
    if (last?.toMs === fromMs) last.toMs = toMs;
    else spans.push({ fromMs, toMs });
  }
  return spans;
}

function running(holdings: readonly Holding[], span: Span): number {
  return holdings.filter((holding) => intersects(holding, span)).length;
}
