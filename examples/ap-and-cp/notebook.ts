import type { Decision, Holding, Kind, Refusal, Tick, Timeline } from "./timeline.ts";

interface OpenHolding {
  readonly node: string;
  readonly fromMs: number;
  readonly token: string | undefined;
  ended: Pick<Holding, "toMs" | "end"> | undefined;
}

/** What is the same for all that was written down in one round. */
export type Surroundings = Pick<Timeline, "sides" | "tickMs" | "cutMs" | "healMs" | "stallMs">;

export interface HoldingEntry {
  /** It ran until now. */
  ended(): void;
  /** Why, if that is heard later. */
  because(reason: string): void;
}

/** What the nodes of one program write down as it happens, by one clock for all of them. */
export class Notebook {
  readonly #kind: Kind;
  readonly #now: () => number;
  readonly #holdings: OpenHolding[] = [];
  readonly #ticks: Tick[] = [];
  readonly #decisions: Decision[] = [];
  readonly #refusals: Refusal[] = [];
  #isClosed = false;

  /** @param now milliseconds since the start of the round */
  constructor(kind: Kind, now: () => number) {
    this.#kind = kind;
    this.#now = now;
  }

  /** The nodes that run the ticker now. */
  get running(): readonly string[] {
    return this.#holdings.filter(({ ended }) => ended === undefined).map(({ node }) => node);
  }

  get decisions(): number {
    return this.#decisions.length;
  }

  started(node: string, token: bigint | undefined): HoldingEntry {
    const holding: OpenHolding = {
      node,
      fromMs: this.#now(),
      token: token === undefined ? undefined : String(token),
      ended: undefined,
    };
    if (!this.#isClosed) this.#holdings.push(holding);
    return {
      ended: () => {
        if (!this.#isClosed) holding.ended = { toMs: this.#now(), end: "unknown" };
      },
      because: (end) => {
        if (!this.#isClosed && holding.ended !== undefined) holding.ended = { ...holding.ended, end };
      },
    };
  }

  ticked(node: string, number: number): void {
    if (!this.#isClosed) this.#ticks.push({ number, node, atMs: this.#now() });
  }

  refused(node: string): void {
    if (!this.#isClosed) this.#refusals.push({ node, atMs: this.#now() });
  }

  resolved(decision: Omit<Decision, "atMs">): void {
    if (!this.#isClosed) this.#decisions.push({ ...decision, atMs: this.#now() });
  }

  /** The round is over: what the nodes do as they are stopped is not part of it. */
  close({ cutMs, healMs, sides, stallMs, tickMs }: Surroundings): Timeline {
    this.#isClosed = true;
    const endMs = this.#now();
    return {
      kind: this.#kind,
      sides,
      tickMs,
      cutMs,
      healMs,
      stallMs,
      endMs,
      holdings: this.#holdings.map(({ node, fromMs, token, ended }) => ({
        node,
        fromMs,
        ...(ended ?? { toMs: endMs, end: "stillRunning" }),
        ...(token === undefined ? {} : { token }),
      })),
      ticks: this.#ticks,
      decisions: this.#decisions,
      refusals: this.#refusals,
    };
  }
}
