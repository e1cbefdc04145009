import { explain, type NameOperation } from "../../src/sim/linearizable.ts";
import type { Note, Span } from "./worker/witness-client.ts";

/** One registration that was granted, as its process told of it. */
interface Holding {
  readonly token: number;
  readonly pid: string;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** What was seen of one token. */
interface Seen {
  /** It was held at this moment, or before. */
  firstMs: number;
  /** It was held at this moment, or later. */
  lastMs: number;
  lastBy: "isHeld" | "signal";
}

interface Asked {
  readonly pid: string;
  readonly beganMs: number;
}

/** What processes told of one name. */
class NameRecord {
  readonly holdings: Holding[] = [];
  readonly seen = new Map<number, Seen>();
  readonly releases = new Map<number, { readonly beganMs: number; endedMs: number }>();
  readonly complaints: string[] = [];
  /** By client and id. What is left in the end was never answered: its process was killed. */
  readonly #asked = new Map<string, Asked>();
  readonly #unsure: Asked[] = [];
  readonly #taken: { readonly by: string; readonly beganMs: number; readonly endedMs: number }[] = [];
  readonly #lookups: (({ readonly kind: "free" } & Span) | (Extract<Note, { kind: "found" }> & Span))[] = [];

  add(client: number, note: Note): void {
    switch (note.kind) {
      case "asks":
        this.#asked.set(`${client} ${note.id}`, { pid: note.pid, beganMs: note.atMs });
        return;
      case "granted": {
        const asked = this.#answered(client, note.id);
        if (asked !== undefined) this.holdings.push({ ...asked, token: note.token, endedMs: note.atMs });
        return;
      }
      case "taken": {
        const asked = this.#answered(client, note.id);
        if (asked !== undefined)
          this.#taken.push({ by: note.by, beganMs: asked.beganMs, endedMs: note.atMs });
        return;
      }
      case "failed": {
        const asked = this.#answered(client, note.id);
        if (asked !== undefined) this.#unsure.push(asked);
        return;
      }
      case "found":
      case "free":
        this.#lookups.push(note);
        return;
      case "held":
        this.#held(note);
        return;
      case "releases":
        this.releases.set(note.token, { beganMs: note.atMs, endedMs: Number.POSITIVE_INFINITY });
        return;
      case "released": {
        const release = this.releases.get(note.token);
        if (release !== undefined) release.endedMs = note.atMs;
        return;
      }
      case "aborted":
        if (note.isHeld) this.complaints.push(`the signal of ${note.token} was aborted while it was held`);
        return;
      case "refused":
        if (note.isHeld) this.complaints.push(`${note.token} was refused while it was held`);
    }
  }

  /** Those who were granted the name, in the order of their tokens. */
  inOrder(): readonly Holding[] {
    return [...this.holdings].sort((left, right) => left.token - right.token);
  }

  /** Two who held it at once, or the later one with the lower token: the same thing, told by what each saw of itself. */
  *overlaps(): Iterable<string> {
    let before: { readonly token: number; readonly seen: Seen } | undefined;
    let lastToken = 0;
    for (const { token } of this.inOrder()) {
      if (token === lastToken) yield `${token} was granted twice`;
      lastToken = token;
      const seen = this.seen.get(token);
      if (seen === undefined) continue;
      if (before !== undefined && before.seen.lastMs > seen.firstMs) {
        const overMs = (before.seen.lastMs - seen.firstMs).toFixed(1);
        yield `${before.token} was held (${before.seen.lastBy}) ${overMs} ms after ${token} was`;
      }
      if (before === undefined || seen.lastMs > before.seen.lastMs) before = { token, seen };
    }
  }

  /** @returns what no order explains */
  unexplained(): string | undefined {
    const unexplained = explain(this.#history());
    if (unexplained === undefined) return undefined;
    const last = unexplained.explained.slice(-4).map(written);
    return `after ${last.join(", ")}, none of ${unexplained.stuckAt.map(written).join(", ")} fits`;
  }

  #answered(client: number, id: number): Asked | undefined {
    const key = `${client} ${id}`;
    const asked = this.#asked.get(key);
    this.#asked.delete(key);
    return asked;
  }

  #held({ by, fromMs, toMs, token }: Extract<Note, { kind: "held" }>): void {
    const seen = this.seen.get(token) ?? { firstMs: toMs, lastMs: fromMs, lastBy: by };
    this.seen.set(token, seen);
    seen.firstMs = Math.min(seen.firstMs, toMs);
    if (fromMs <= seen.lastMs) return;
    seen.lastMs = fromMs;
    seen.lastBy = by;
  }

  #history(): readonly NameOperation[] {
    const operations: NameOperation[] = [];
    for (const { beganMs, endedMs, token } of this.holdings) {
      operations.push({ kind: "registered", token, beganMs, endedMs });
      const release = this.releases.get(token);
      // Nobody says when it ended: any time after it was last seen to be held.
      const openMs = this.seen.get(token)?.lastMs ?? beganMs;
      operations.push({
        ...{ kind: "released", token, beganMs: release?.beganMs ?? openMs },
        endedMs: release?.endedMs ?? Number.POSITIVE_INFINITY,
      });
    }
    const attempts = new Attempts(this.holdings, [...this.#unsure, ...this.#asked.values()]);
    for (const lookup of this.#lookups) {
      const span = { beganMs: lookup.fromMs, endedMs: lookup.toMs };
      if (lookup.kind === "free") operations.push({ kind: "free", ...span });
      else operations.push({ kind: "found", token: attempts.found(lookup), ...span });
    }
    for (const { by, ...span } of this.#taken) {
      operations.push({ kind: "taken", tokens: attempts.refusedFor(by, span), ...span });
    }
    return [...operations, ...attempts.operations];
  }
}

/** The token of an attempt that came and went, as `explain` takes it. */
const UNKNOWN = 0;

/**
 * Attempts at a name that others saw, though nothing came of them: they failed, or their process was killed. One that was granted the
 * name may have had an attempt before, too, which a majority had voted for and which was taken back.
 */
class Attempts {
  /** Each may have had the name for a while. */
  readonly operations: NameOperation[] = [];
  readonly #granted: ReadonlyMap<string, Holding>;
  readonly #unsure: ReadonlyMap<string, Asked>;
  readonly #tokens = new Set<number>();
  /** By pid, of those that were found before they were granted the name, or without it. */
  readonly #found = new Map<string, number[]>();

  constructor(granted: readonly Holding[], unsure: readonly Asked[]) {
    this.#granted = new Map(granted.map((holding) => [holding.pid, holding]));
    this.#unsure = new Map(unsure.map((asked) => [asked.pid, asked]));
    for (const { token } of granted) this.#tokens.add(token);
  }

  /** @returns the token that must be there: of somebody who never asked, there is no such operation */
  found({ pid, token }: Extract<Note, { kind: "found" }>): number {
    if (this.#tokens.has(token)) return token;
    this.#attempted(pid, token);
    this.#found.set(pid, [...(this.#found.get(pid) ?? []), token]);
    return token;
  }

  /**
   * Those who are refused the name are told by whom it is held, and not by which token. Until that one has heard that it was granted
   * the name, it may have held it for long: by then everyone else may have read that in a log. Or it was by an attempt that nobody
   * knows of.
   */
  refusedFor(pid: string, { beganMs, endedMs }: { beganMs: number; endedMs: number }): readonly number[] {
    const granted = this.#granted.get(pid);
    if (granted !== undefined && granted.endedMs <= beganMs) return [granted.token];
    const asked = granted ?? this.#unsure.get(pid);
    const isPossible = asked !== undefined && asked.beganMs <= endedMs;
    const known = granted === undefined ? [] : [granted.token];
    return [...known, ...(this.#found.get(pid) ?? []), ...(isPossible ? [UNKNOWN] : [])];
  }

  #attempted(pid: string, token: number): void {
    const asked = this.#granted.get(pid) ?? this.#unsure.get(pid);
    if (asked === undefined) return;
    this.#tokens.add(token);
    const open = { token, beganMs: asked.beganMs, endedMs: Number.POSITIVE_INFINITY };
    this.operations.push({ kind: "registered", ...open }, { kind: "released", ...open });
  }
}

/** What the processes of several nodes told of several names. All times are of one clock. */
export class WitnessRecord {
  readonly #names = new Map<string, NameRecord>();

  add(name: string, client: number, note: Note): void {
    const record = this.#names.get(name) ?? new NameRecord();
    this.#names.set(name, record);
    record.add(client, note);
  }

  /** Registrations that were granted. */
  get acquisitions(): number {
    return this.#sum((record) => record.holdings.length);
  }

  /** Those of them whose predecessor did not give the name back: it was killed, or lost it. */
  get takeovers(): number {
    return this.#sum((record) => {
      const inOrder = record.inOrder();
      return inOrder.filter(({ token }, index) => {
        const next = inOrder[index + 1];
        return next !== undefined && !record.releases.has(token);
      }).length;
    });
  }

  /** Everything that must not be. */
  *violations(): Iterable<string> {
    for (const [name, record] of this.#names) {
      for (const complaint of record.complaints) yield `${name}: ${complaint}`;
      for (const overlap of record.overlaps()) yield `${name}: ${overlap}`;
      const unexplained = record.unexplained();
      if (unexplained !== undefined) yield `${name}: ${unexplained}`;
    }
  }

  #sum(count: (record: NameRecord) => number): number {
    return [...this.#names.values()].reduce((sum, record) => sum + count(record), 0);
  }
}

function written(operation: NameOperation): string {
  const token = "token" in operation ? ` ${operation.token}` : "";
  const tokens = "tokens" in operation ? ` ${operation.tokens?.join(" or ")}` : "";
  return `${operation.kind}${token}${tokens} (${operation.beganMs.toFixed(1)} to ${operation.endedMs.toFixed(1)})`;
}
