/**
 * Answers remembered by subject, so that a message costs one look-up however many wildcards there are. Every change of interest
 * forgets them all: changes are rare next to messages. Reply subjects never repeat, hence the bound.
 */
const REMEMBERED_SUBJECTS = 4_096;

/** Subscribers in all these answers together: 8 MiB, enough for 1,000 nodes of which each says something to all others. */
const REMEMBERED_MATCHES = 1_048_576;

interface Wildcard<S> {
  readonly tokens: readonly string[];
  readonly subscribers: Set<S>;
}

/** Who wants which subjects. `*` stands for one token, a final `>` for one or more. */
export class Interest<S> {
  readonly #exact = new Map<string, Set<S>>();
  readonly #wildcards = new Map<string, Wildcard<S>>();
  readonly #remembered = new Map<string, readonly S[]>();
  #rememberedMatches = 0;

  add(pattern: string, subscriber: S): void {
    this.#forget();
    if (hasWildcard(pattern)) {
      const wildcard = this.#wildcards.get(pattern) ?? {
        tokens: pattern.split("."),
        subscribers: new Set<S>(),
      };
      wildcard.subscribers.add(subscriber);
      this.#wildcards.set(pattern, wildcard);
      return;
    }
    const subscribers = this.#exact.get(pattern) ?? new Set<S>();
    subscribers.add(subscriber);
    this.#exact.set(pattern, subscribers);
  }

  remove(pattern: string, subscriber: S): void {
    this.#forget();
    const exact = this.#exact.get(pattern);
    if (exact?.delete(subscriber) && exact.size === 0) this.#exact.delete(pattern);
    const wildcard = this.#wildcards.get(pattern);
    if (wildcard?.subscribers.delete(subscriber) && wildcard.subscribers.size === 0)
      this.#wildcards.delete(pattern);
  }

  get size(): number {
    let count = 0;
    for (const subscribers of this.#exact.values()) count += subscribers.size;
    for (const { subscribers } of this.#wildcards.values()) count += subscribers.size;
    return count;
  }

  /** Every subscriber of the subject, once for each pattern of it that matches. */
  match(subject: string): readonly S[] {
    const remembered = this.#remembered.get(subject);
    if (remembered !== undefined) return remembered;
    const found: S[] = [...(this.#exact.get(subject) ?? [])];
    if (this.#wildcards.size > 0) {
      const tokens = subject.split(".");
      for (const wildcard of this.#wildcards.values()) {
        if (!matches(wildcard.tokens, tokens)) continue;
        // Not spread into one push: the arguments of a call have to fit on the stack.
        for (const subscriber of wildcard.subscribers) found.push(subscriber);
      }
    }
    this.#remember(subject, found);
    return found;
  }

  #remember(subject: string, found: readonly S[]): void {
    if (found.length > REMEMBERED_MATCHES) return;
    const isFull = this.#remembered.size >= REMEMBERED_SUBJECTS;
    if (isFull || this.#rememberedMatches + found.length > REMEMBERED_MATCHES) this.#forget();
    this.#remembered.set(subject, found);
    this.#rememberedMatches += found.length;
  }

  #forget(): void {
    this.#remembered.clear();
    this.#rememberedMatches = 0;
  }
}

export function hasWildcard(pattern: string): boolean {
  if (!pattern.includes("*") && !pattern.includes(">")) return false;
  return pattern
    .split(".")
    .some((token, index, all) => token === "*" || (token === ">" && index === all.length - 1));
}

function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (let index = 0; index < pattern.length; index += 1) {
    const wanted = pattern[index];
    if (wanted === ">" && index === pattern.length - 1) return subject.length > index;
    if (index >= subject.length || (wanted !== "*" && wanted !== subject[index])) return false;
  }
  return pattern.length === subject.length;
}
