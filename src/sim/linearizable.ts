/*
 * Could what was done with one name, by many at once, have been done one after another? (Herlihy and Wing, "Linearizability", 1990.)
 * The search is that of Wing and Gong, with Lowe's memory of states that led nowhere.
 */

/** A name that many register, release and look up. Times are those of one clock that all are judged by. */
export type NameOperation = Span & NameAction;

interface Span {
  readonly beganMs: number;
  /** Infinity: it never ended, so it may have taken effect at any time since, or not at all. */
  readonly endedMs: number;
}

export type NameAction =
  /** It was registered, with this token. One that failed, and may have taken effect all the same, has `endedMs` Infinity. */
  | { readonly kind: "registered"; readonly token: number }
  /**
   * It could not be, because the registration with one of these tokens held it. Without any: nobody says who. With 0 among them: it may
   * have been one that nobody knows of, which came and went just then.
   */
  | { readonly kind: "taken"; readonly tokens?: readonly number[] }
  /** The registration with this token was given up, or has run out. */
  | { readonly kind: "released"; readonly token: number }
  /** A lookup told of the registration with this token. */
  | { readonly kind: "found"; readonly token: number }
  /** A lookup told of nobody. */
  | { readonly kind: "free" };

/** A history that no order explains. */
export interface Unexplained {
  /** As many as could be put in order. */
  readonly explained: readonly NameOperation[];
  /** Each of these could have come next by its time, and by no means by what it did. */
  readonly stuckAt: readonly NameOperation[];
}

/** States that are looked at before the search is given up. */
const MOST_STATES = 200_000;

/** The history is too tangled to be judged. */
export class TooTangledError extends Error {}

/**
 * Whether some order explains the history of one name: one that keeps what had ended before something else began in front of it,
 * and in which each finds the name as those before have left it.
 *
 * @returns undefined if there is such an order
 * @throws TooTangledError when the search takes too long to tell
 */
export function explain(history: readonly NameOperation[]): Unexplained | undefined {
  const operations = [...history].sort((left, right) => left.beganMs - right.beganMs);
  const search = new Search(operations);
  return search.run() ? undefined : search.best;
}

/** Who holds the name: a token, or 0 for nobody. */
type State = number;

class Search {
  readonly #operations: readonly NameOperation[];
  readonly #isDone: boolean[];
  readonly #seen = new Set<string>();
  readonly #order: NameOperation[] = [];
  /** Those that ended: the others need not have happened. */
  #open: number;
  best: Unexplained = { explained: [], stuckAt: [] };

  constructor(operations: readonly NameOperation[]) {
    this.#operations = operations;
    this.#isDone = operations.map(() => false);
    this.#open = operations.filter(({ endedMs }) => endedMs !== Number.POSITIVE_INFINITY).length;
  }

  run(): boolean {
    return this.#goOn(0, 0);
  }

  /** @param first none before it is open */
  #goOn(state: State, first: number): boolean {
    if (this.#open === 0) return true;
    const start = this.#firstOpen(first);
    if (!this.#isNew(state, start)) return false;
    const next = this.#candidates(start);
    for (const index of next) {
      const operation = this.#operations[index];
      const after = operation === undefined ? undefined : apply(state, operation);
      if (operation === undefined || after === undefined) continue;
      const isCertain = operation.endedMs !== Number.POSITIVE_INFINITY;
      this.#isDone[index] = true;
      this.#order.push(operation);
      if (isCertain) this.#open -= 1;
      if (this.#goOn(after, start)) return true;
      if (isCertain) this.#open += 1;
      this.#order.pop();
      this.#isDone[index] = false;
    }
    if (this.#order.length >= this.best.explained.length) {
      const stuckAt = next.flatMap((index) => this.#operations[index] ?? []);
      this.best = { explained: [...this.#order], stuckAt };
    }
    return false;
  }

  /** Those that may come next: none that is open had ended before they began. */
  #candidates(start: number): readonly number[] {
    let endsMs = Number.POSITIVE_INFINITY;
    const candidates: number[] = [];
    for (let index = start; index < this.#operations.length; index += 1) {
      const operation = this.#operations[index];
      if (operation === undefined || operation.beganMs > endsMs) break;
      if (this.#isDone[index] === true) continue;
      candidates.push(index);
      endsMs = Math.min(endsMs, operation.endedMs);
    }
    // Those that end first are the likeliest to have come first.
    const endOf = (index: number): number => this.#operations[index]?.endedMs ?? 0;
    return candidates
      .filter((index) => (this.#operations[index]?.beganMs ?? 0) <= endsMs)
      .sort((left, right) => endOf(left) - endOf(right) || left - right);
  }

  #firstOpen(first: number): number {
    let start = first;
    while (this.#isDone[start] === true) start += 1;
    return start;
  }

  /** The same operations done and the same state lead nowhere a second time. */
  #isNew(state: State, start: number): boolean {
    const done: number[] = [];
    for (let index = start; index < this.#isDone.length; index += 1) {
      if (this.#isDone[index] === true) done.push(index);
    }
    const key = `${state} ${start} ${done.join()}`;
    if (this.#seen.has(key)) return false;
    if (this.#seen.size >= MOST_STATES) throw new TooTangledError(`more than ${MOST_STATES} states`);
    this.#seen.add(key);
    return true;
  }
}

/** Undefined: it cannot come now. */
function apply(state: State, operation: NameOperation): State | undefined {
  switch (operation.kind) {
    case "registered":
      return state === 0 ? operation.token : undefined;
    case "released":
      return state === operation.token ? 0 : undefined;
    case "found":
      return state === operation.token ? state : undefined;
    case "taken":
      return (operation.tokens?.includes(state) ?? state !== 0) ? state : undefined;
    case "free":
      return state === 0 ? state : undefined;
  }
}
