import { keyOf, nameOfKey, type ScopedName } from "./key.ts";
import { HOLDERS_KEPT } from "./limits.ts";
import type { StrictHolder, StrictNameEvent } from "./types.ts";

interface Known {
  readonly holder: StrictHolder;
  readonly atMs: number;
}

export type HolderChange = Extract<StrictNameEvent, { kind: "registered" | "unregistered" }>;

/**
 * Who held each name when this node heard of it last. What is held here is known for as long as it is; of others there are hints, in
 * the order in which they were heard, and past `HOLDERS_KEPT` the oldest is forgotten without a word: nobody has given it back.
 */
export class KnownHolders {
  readonly #onChange: (scope: string, change: HolderChange) => void;
  readonly #heldHere = new Map<string, Known>();
  readonly #hints = new Map<string, Known>();

  constructor(onChange: (scope: string, change: HolderChange) => void) {
    this.#onChange = onChange;
  }

  get(key: string): Known | undefined {
    return this.#heldHere.get(key) ?? this.#hints.get(key);
  }

  /** Of one scope, or of one name in it. */
  of(scope: string, name: string | undefined): ReadonlyMap<string, StrictHolder> {
    const holders = new Map<string, StrictHolder>();
    if (name !== undefined) {
      const known = this.get(keyOf(scope, name));
      if (known !== undefined) holders.set(name, known.holder);
      return holders;
    }
    for (const table of [this.#heldHere, this.#hints]) {
      for (const [key, { holder }] of table) {
        const of = nameOfKey(key);
        if (of.scope === scope) holders.set(of.name, holder);
      }
    }
    return holders;
  }

  /** It holds the name: news, unless somebody is known who holds it with a higher token. */
  heard(key: string, holder: StrictHolder, atMs: number, isHeldHere = false): void {
    const before = this.get(key);
    if (before !== undefined && before.holder.token > holder.token) return;
    this.#remove(key);
    (isHeldHere ? this.#heldHere : this.#hints).set(key, { holder, atMs });
    if (before?.holder.token === holder.token) return;
    const of = nameOfKey(key);
    if (before !== undefined) this.#tell(of, "unregistered", before.holder);
    this.#tell(of, "registered", holder);
    if (this.#hints.size > HOLDERS_KEPT) this.#forgetOldest();
  }

  /** Nobody holds it, or not with this token. */
  free(key: string, token?: bigint): void {
    const known = this.get(key);
    if (known === undefined || (token !== undefined && known.holder.token !== token)) return;
    this.#remove(key);
    this.#tell(nameOfKey(key), "unregistered", known.holder);
  }

  #remove(key: string): void {
    this.#heldHere.delete(key);
    this.#hints.delete(key);
  }

  #forgetOldest(): void {
    for (const key of this.#hints.keys()) {
      this.#hints.delete(key);
      return;
    }
  }

  #tell({ name, scope }: ScopedName, kind: HolderChange["kind"], holder: StrictHolder): void {
    this.#onChange(scope, { kind, name, holder });
  }
}
