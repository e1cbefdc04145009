import { measure, totalMs } from "./measure.ts";
import type { Kind, Timeline } from "./timeline.ts";

/** What is said of a timeline in words: beneath the drawing in the terminal, and in place of the picture for who does not see it. */
export interface Line {
  readonly atMs: number;
  readonly text: string;
}

export const TITLES: Readonly<Record<Kind, string>> = {
  available: "Available names (node.names): both sides go on",
  strict: "Strict names (node.strictNames): the majority goes on, alone",
};

const ENDINGS: Readonly<Record<string, string>> = {
  nameClash: "it lost the name clash",
  leaseLost: "it lost its lease",
};

/** What happened, in order. */
export function storyOf(timeline: Timeline): readonly Line[] {
  const { cutMs, decisions, endMs, healMs, holdings, refusals, sides } = timeline;
  const whole = sides.map(({ nodes }) => nodes.join(", ")).join(" | ");
  const lines: Line[] = [
    { atMs: cutMs, text: `the network is cut: ${whole}` },
    { atMs: healMs, text: "the network heals" },
    ...holdings.map(({ node, fromMs, token }) => ({
      atMs: fromMs,
      text: `${node} starts${token === undefined ? "" : `, with token ${token}`}`,
    })),
    ...holdings
      .filter(({ toMs }) => toMs < endMs)
      .map(({ node, toMs, end }) => ({ atMs: toMs, text: `${node} stops: ${ENDINGS[end] ?? end}` })),
    ...decisions.map(({ atMs, by, contenders, kept }) => ({
      atMs,
      text: `the resolver runs, on ${by}: ${contenders.join(" and ")} met, ${kept} stays`,
    })),
    ...firstRefusals(refusals).map(({ atMs, node, times }) => ({
      atMs,
      text: `${node} is refused, for want of a majority${times > 1 ? `; ${times} times in all` : ""}`,
    })),
  ];
  return lines.sort((left, right) => left.atMs - right.atMs);
}

/** What was measured of each, side by side: a table's rows, the first of them its head. */
export function comparison(timelines: readonly Timeline[]): readonly (readonly string[])[] {
  const measured = timelines.map((timeline) => ({ timeline, measures: measure(timeline) }));
  const row = (head: string, cell: (each: (typeof measured)[number]) => string): readonly string[] => [
    head,
    ...measured.map(cell),
  ];
  return [
    row("", ({ timeline }) => `${timeline.kind} names`),
    row("two ran at once", ({ measures }) => written(totalMs(measures.overlaps))),
    row("nobody ran", ({ measures }) => written(totalMs(measures.gaps))),
    row("work done twice", ({ measures }) => share(measures.twice, measures.due)),
    row("work not done", ({ measures }) => share(measures.missed, measures.due)),
    row("from the cut to the next start", ({ timeline }) => nextStart(timeline)),
    row("from the heal to one again", ({ timeline }) => oneAgain(timeline)),
  ];
}

/** A machine that is busy with other things shows in what was measured. Undefined: it was not, to speak of. */
export function stallNote(timelines: readonly Timeline[]): string | undefined {
  const stalled = timelines.filter(({ stallMs, tickMs }) => stallMs > tickMs);
  if (stalled.length === 0) return undefined;
  const worst = written(Math.max(...stalled.map(({ stallMs }) => stallMs)));
  return `The machine was busy: the program, with all nodes, stood still for ${worst} at the worst, which shows in the numbers.`;
}

export function written(ms: number): string {
  // Not by a locale: the same everywhere. A gap of less than half a millisecond is one all the same.
  const digits = ms > 0 && ms < 10 ? ms.toFixed(1) : Math.round(ms).toString();
  return `${digits.replace(/\B(?=(\d{3})+$)/g, ",")} ms`;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

/** In short: numbers 3 to 5, 9. */
export function numbered(numbers: readonly number[]): string {
  return `${numbers.length === 1 ? "number" : "numbers"} ${ranges(numbers)}`;
}

function ranges(numbers: readonly number[]): string {
  const parts: { from: number; to: number }[] = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last !== undefined && number === last.to + 1) last.to = number;
    else parts.push({ from: number, to: number });
  }
  return parts.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`)).join(", ");
}

function share(numbers: readonly number[], due: number): string {
  if (numbers.length === 0) return `none of ${due}`;
  return `${numbers.length} of ${due} (${numbered(numbers)})`;
}

function nextStart({ cutMs, healMs, holdings }: Timeline): string {
  const starts = holdings.map(({ fromMs }) => fromMs).filter((fromMs) => fromMs > cutMs && fromMs < healMs);
  return starts.length === 0 ? "nobody else starts" : written(Math.min(...starts) - cutMs);
}

function oneAgain(timeline: Timeline): string {
  const last = measure(timeline).overlaps.at(-1);
  if (last === undefined) return "it was never two";
  return last.toMs > timeline.healMs ? written(last.toMs - timeline.healMs) : "it was one before";
}

function firstRefusals(
  refusals: Timeline["refusals"],
): readonly { readonly node: string; readonly atMs: number; readonly times: number }[] {
  const nodes = [...new Set(refusals.map(({ node }) => node))];
  return nodes.map((node) => {
    const times = refusals.filter((refusal) => refusal.node === node).map(({ atMs }) => atMs);
    return { node, atMs: Math.min(...times), times: times.length };
  });
}
