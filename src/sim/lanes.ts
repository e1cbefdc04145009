import type { TraceLine } from "./machine/telling.ts";
import type { Plan } from "./plan.ts";

export type LaneState = "up" | "paused" | "offline" | "absent";

interface Span {
  readonly state: LaneState;
  readonly place: number | undefined;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** How each place was at each time. */
export interface Lanes {
  stateAt(place: number, atMs: number): LaneState;
}

/** Of the nodes of a cluster. */
export class ClusterLanes implements Lanes {
  readonly #lives: readonly Span[];
  readonly #spans: readonly Span[];

  constructor(lines: readonly TraceLine[], plan: Plan) {
    this.#lives = lives(lines);
    this.#spans = plan.faults.flatMap((fault): Span[] => {
      const { atMs } = fault;
      switch (fault.kind) {
        case "pause":
          return [{ state: "paused", place: fault.node, fromMs: atMs, untilMs: atMs + fault.forMs }];
        case "disconnect":
        case "slowConsumer":
          return [{ state: "offline", place: fault.node, fromMs: atMs, untilMs: atMs + fault.forMs }];
        case "busRestart":
          return [{ state: "offline", place: undefined, fromMs: atMs, untilMs: atMs + fault.forMs }];
        default:
          return [];
      }
    });
  }

  stateAt(place: number, atMs: number): LaneState {
    const isAt = (span: Span): boolean =>
      (span.place === undefined || span.place === place) && span.fromMs <= atMs && atMs < span.untilMs;
    if (!this.#lives.some(isAt)) return "absent";
    return this.#spans.find(isAt)?.state ?? "up";
  }
}

/** From its start to its end, of each incarnation. */
function lives(lines: readonly TraceLine[]): readonly Span[] {
  const begun = new Map<number, number>();
  const spans: Span[] = [];
  const end = (place: number, untilMs: number): void => {
    const fromMs = begun.get(place);
    if (fromMs !== undefined) spans.push({ state: "up", place, fromMs, untilMs });
    begun.delete(place);
  };
  for (const { kind, place, text, atMs } of lines) {
    if (kind === "input" && text.startsWith("start")) begun.set(place, atMs);
    if (kind === "ended") end(place, atMs);
  }
  for (const place of [...begun.keys()]) end(place, Number.POSITIVE_INFINITY);
  return spans;
}

/** Puts short names for long ones into a text. */
export type Shorten = (text: string) => string;

/** `n1` for the first incarnation that stands in the lines, `n1′` for the next. */
export function shorten(lines: readonly TraceLine[]): Shorten {
  const incarnations = new Map<string, string[]>();
  const replace = (text: string): string =>
    text.replace(/\b(n\d+)@([0-9a-z]{17})/g, (_whole, node: string, incarnation: string) => {
      const known = incarnations.get(node) ?? [];
      if (!known.includes(incarnation)) known.push(incarnation);
      // Incarnations sort by age.
      incarnations.set(node, known.sort());
      return node + "′".repeat(known.indexOf(incarnation));
    });
  for (const { text } of lines) replace(text);
  return replace;
}
