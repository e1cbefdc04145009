import { ENDS_REMEMBERED, ENDS_REMEMBERED_PER_NAME } from "./limits.ts";
import type { EntryRef } from "./name-entry.ts";

/**
 * Which registrations ended lately, as their own nodes wrote. The next registration of the name tells of them:
 *
 * 1. n1 registers a name as r, and releases it. 2. n2 registers it as x. 3. n3 reads of x, and only then what n1 wrote. Did x
 * not say that r is over, n3 would show x, then r, which is older, then x again.
 *
 * It is told for as long as is remembered, which is longer than logs commonly lag behind each other.
 */
export class RecentEnds {
  #recent = new Map<string, readonly EntryRef[]>();
  #older: ReadonlyMap<string, readonly EntryRef[]> = new Map();

  of(name: string): readonly EntryRef[] {
    if (this.#recent.size === 0) return NONE;
    return this.#recent.get(name) ?? this.#older.get(name) ?? NONE;
  }

  note(name: string, { owner, id }: EntryRef): void {
    const before = this.of(name);
    const ref = { owner, id };
    const others = before.length === 0 ? before : before.filter((other) => other.owner !== owner);
    if (this.#recent.size >= ENDS_REMEMBERED) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(
      name,
      others.length === 0 ? [ref] : [ref, ...others.slice(0, ENDS_REMEMBERED_PER_NAME - 1)],
    );
  }
}

const NONE: readonly EntryRef[] = [];
