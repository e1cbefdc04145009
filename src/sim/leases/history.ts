import { explain, type NameOperation, TooTangledError } from "../linearizable.ts";

interface Registered {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly token: number;
}

/** What was done with each name, by everyone. */
export class LeaseHistory {
  readonly #operations = new Map<string, NameOperation[]>();
  readonly #registered = new Map<string, Registered[]>();
  readonly #released = new Map<string, Map<number, { readonly beganMs: number; readonly endedMs: number }>>();

  add(name: string, operation: NameOperation): void {
    this.#of(this.#operations, name).push(operation);
  }

  /** @returns what is wrong with its token */
  register(name: string, registered: Registered, areClocksSound: boolean): string | undefined {
    const earlier = this.#of(this.#registered, name);
    // If clocks are not sound, two may overlap; and then the one that began first may be granted its lower token last.
    const before = areClocksSound ? earlier : earlier.filter(({ endedMs }) => endedMs <= registered.beganMs);
    const highest = Math.max(0, ...before.map(({ token }) => token));
    const isTwice = earlier.some(({ token }) => token === registered.token);
    earlier.push(registered);
    this.add(name, { kind: "registered", ...registered });
    if (isTwice) return "it has been granted before";
    return registered.token > highest ? undefined : `${highest} has been granted before`;
  }

  /** May be said again, once more is known. */
  release(name: string, token: number, beganMs: number, endedMs: number): void {
    const released = this.#released.get(name) ?? new Map<number, { beganMs: number; endedMs: number }>();
    this.#released.set(name, released.set(token, { beganMs, endedMs }));
  }

  /** Of each name whose history has no order: what does not fit. */
  *unexplained(): Iterable<readonly [string, string]> {
    for (const name of this.#operations.keys()) {
      try {
        const unexplained = explain(this.#complete(name));
        if (unexplained === undefined) continue;
        const last = unexplained.explained.slice(-4).map(written);
        yield [name, `after ${last.join(", ")}, none of ${unexplained.stuckAt.map(written).join(", ")} fits`];
      } catch (error) {
        if (!(error instanceof TooTangledError)) throw error;
      }
    }
  }

  #complete(name: string): readonly NameOperation[] {
    const operations = [...this.#of(this.#operations, name)];
    const granted = new Set(this.#of(this.#registered, name).map(({ token }) => token));
    const known = new Set<number>();
    for (const [token, span] of this.#released.get(name) ?? [])
      operations.push({ kind: "released", token, ...span });
    for (const operation of operations) {
      for (const token of tokensOf(operation)) {
        if (granted.has(token) || known.has(token)) continue;
        // Seen, though nobody was granted it: an attempt that failed, or was given up, and took effect for a while all the same.
        known.add(token);
        const open = { beganMs: 0, endedMs: Number.POSITIVE_INFINITY, token };
        operations.push({ kind: "registered", ...open }, { kind: "released", ...open });
      }
    }
    return operations;
  }

  #of<T>(lists: Map<string, T[]>, name: string): T[] {
    const list = lists.get(name) ?? [];
    lists.set(name, list);
    return list;
  }
}

function tokensOf(operation: NameOperation): readonly number[] {
  if (operation.kind === "taken") return operation.tokens ?? [];
  return "token" in operation ? [operation.token] : [];
}

function written(operation: NameOperation): string {
  const { beganMs, endedMs, kind } = operation;
  const tokens = tokensOf(operation).map((token) => ` ${token}`);
  return `${kind}${tokens.join()} (${beganMs.toFixed(1)} to ${endedMs.toFixed(1)})`;
}
