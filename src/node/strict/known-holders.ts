import { keyOf, nameOfKey, type ScopedName } from "./key.ts";
import { HOLDERS_KEPT } from "./limits.ts";
import type { StrictHolder, StrictNameEvent } from "./types.ts";

interface Known {
  readonly holder: StrictHolder;
  readonly atMs: number;
}

export type HolderChange = Extract<StrictNameEvent, { kind: "registered" | "unregistered" }>;

/** Who held each name when this node heard of it last: hints, in the order in which they were heard. */
export class KnownHolders {
  readonly #onChange: (scope: string, change: HolderChange) => void;
  readonly #byKey = new Map<string, Known>();

  constructor(onChange: (scope: string, change: HolderChange) => void) {
    this.#onChange = onChange;
  }

  get(key: string): Known | undefined {
    return this.#byKey.get(key);
  }

  /** Of one scope, or of one name in it. */
  of(scope: string, name: string | undefined): ReadonlyMap<string, StrictHolder> {
    const holders = new Map<string, StrictHolder>();
    if (name !== undefined) {
      const known = this.#byKey.get(keyOf(scope, name));
      if (known !== undefined) holders.set(name, known.holder);
      return holders;
    }
    for (const [key, { holder }] of this.#byKey) {
      const of = nameOfKey(key);
      if (of.scope === scope) holders.set(of.name, holder);
    }
    return holders;
  }

  /** It holds the name: news, unless somebody is known who holds it with a higher token. */
  heard(key: string, holder: StrictHolder, atMs: number): void {
    const before = this.#byKey.get(key);
    if (before !== undefined && before.holder.token > holder.token) return;
    this.#byKey.delete(key);
    this.#byKey.set(key, { holder, atMs });
    if (before?.holder.token === holder.token) return;
    const of = nameOfKey(key);
    if (before !== undefined) this.#tell(of, "unregistered", before.holder);
    this.#tell(of, "registered", holder);
    if (this.#byKey.size > HOLDERS_KEPT) this.#forgetOldest();
  }

  /** Nobody holds it, or not with this token. */
  free(key: string, token?: bigint): void {
    const known = this.#byKey.get(key);
    if (known === undefined || (token !== undefined && known.holder.token !== token)) return;
    this.#byKey.delete(key);
    this.#tell(nameOfKey(key), "unregistered", known.holder);
  }

  #forgetOldest(): void {
    for (const key of this.#byKey.keys()) {
      this.#byKey.delete(key);
      return;
    }
  }

  #tell({ name, scope }: ScopedName, kind: HolderChange["kind"], holder: StrictHolder): void {
    this.#onChange(scope, { kind, name, holder });
  }
}
