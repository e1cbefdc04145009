import { SeededRandom } from "../../../src/kernel/random.ts";
import { encodeEntry, type LogEntry } from "../../../src/lease/jetstream/entry.ts";
import { LOSSES_PER_TTL } from "../../../src/lease/jetstream/limits.ts";
import { type LogMessage, LogReader, type ReadResult } from "../../../src/lease/jetstream/log-reader.ts";
import { Losses } from "../../../src/lease/jetstream/losses.ts";
import { LeaseReplica } from "../../../src/lease/jetstream/replica.ts";
import { encodeSnapshot } from "../../../src/lease/jetstream/snapshot.ts";
import type { LeaseReply, SessionId } from "../../../src/lease/requests.ts";

export const SETTINGS = { ttlMs: 6_000, clockRateBound: 0.01, serverStepMs: 0 };

type Draft = Pick<LogMessage, "kind" | "data" | "writtenMs">;

/** One log of which there are several copies, that a test may let differ. Places in each are counted up without gaps. */
export class ForkedLog {
  readonly copies: LogMessage[][];
  nowMs = 0;
  losses = 0;
  #writtenMs = 1_000_000;

  constructor(copies: number) {
    this.copies = Array.from({ length: copies }, () => []);
  }

  /** @param into only these copies get it */
  append(kind: LogMessage["kind"], data: Uint8Array, into = [...this.copies.keys()]): void {
    this.#writtenMs += 1;
    for (const copy of into) this.put(copy, { kind, data, writtenMs: this.#writtenMs });
  }

  put(copy: number, draft: Draft): void {
    const messages = this.copies[copy] ?? [];
    messages.push({ ...draft, at: (messages.at(-1)?.at ?? 0) + 1 });
  }

  firstOf(copy: number): number {
    return this.copies[copy]?.[0]?.at ?? 1;
  }

  purgeBefore(at: number): void {
    for (const messages of this.copies) {
      const kept = messages.findIndex((message) => message.at >= at);
      if (kept > 0) messages.splice(0, kept);
    }
  }
}

/** One node, as far as it reads the log, and writes to it what it has to. */
export class LogNode {
  readonly name: string;
  replica: LeaseReplica;
  reader: LogReader;
  readonly losses: Losses;
  /** Tokens of x that it was given while it trusted what it read. */
  readonly tokens: number[] = [];
  copy: number;
  readonly #log: ForkedLog;
  readonly #replies = new Map<number, LeaseReply | undefined>();
  #number = 0;

  constructor(log: ForkedLog, name: string, copy: number) {
    this.#log = log;
    this.name = name;
    this.copy = copy;
    this.replica = new LeaseReplica(SETTINGS, () => log.nowMs);
    this.reader = new LogReader(this.replica, log.firstOf(copy));
    this.losses = new Losses(new SeededRandom(name), SETTINGS.ttlMs / LOSSES_PER_TTL);
  }

  get isTrusting(): boolean {
    return this.losses.trusts(this.reader, this.replica.maxToken);
  }

  /** @returns the number of the entry */
  write(request: LogEntry["request"], into?: number[]): number {
    this.#number += 1;
    const { mark } = this.reader;
    const [author, number] = [this.name, this.#number];
    this.#log.append(
      "entry",
      encodeEntry({ author, number, id: number, configuration: "c", mark, request }),
      into,
    );
    return number;
  }

  /** Reads up to so many messages of its copy, and says what is to be said of them. */
  read(most = Number.POSITIVE_INFINITY): void {
    for (const message of this.#unread.slice(0, most)) {
      const result = this.reader.take(message);
      if (result.kind === "gap") {
        this.#beginAnew();
        this.read(most);
        return;
      }
      this.#take(result);
    }
    if (!this.reader.isKnown || this.isTrusting) return;
    const note = this.losses.note(this.reader, this.#log.nowMs);
    if (note === undefined) return;
    this.#log.losses += 1;
    this.write(note);
  }

  /** Writes, reads it back, and tells the answer if there is one that it trusts. */
  ask(request: LogEntry["request"], into?: number[]): LeaseReply | undefined {
    const number = this.write(request, into);
    this.read();
    return this.#replies.get(number);
  }

  open(session: SessionId, into?: number[]): LeaseReply | undefined {
    return this.ask({ kind: "open", session, connection: 1 }, into);
  }

  /** @returns the token, if it was granted */
  acquire(session: SessionId, name = "x", into?: number[]): number | undefined {
    const items = [{ name, claim: 1, proposal: 1, value: new Uint8Array(0), ticket: undefined }];
    const reply = this.ask({ kind: "acquire", session, connection: 1, items }, into);
    const [item] = reply?.kind === "acquired" ? reply.items : [];
    return item?.kind === "granted" ? item.token : undefined;
  }

  writeSnapshot(into?: number[]): void {
    if (!this.reader.isKnown) return;
    for (const part of encodeSnapshot(this.reader.snapshot(), this.name) ?? []) {
      this.#log.append("part", part, into);
    }
  }

  get #unread(): readonly LogMessage[] {
    const messages = this.#log.copies[this.copy] ?? [];
    const from = messages.findIndex(({ at }) => at > this.reader.last.at);
    return from < 0 ? [] : messages.slice(from);
  }

  /** What it would have gone on with has been deleted. */
  #beginAnew(): void {
    this.losses.learn(this.reader);
    this.replica = new LeaseReplica(SETTINGS, () => this.#log.nowMs);
    this.reader = new LogReader(this.replica, this.#log.firstOf(this.copy));
  }

  #take(result: ReadResult): void {
    if (result.kind === "snapshot") this.#log.purgeBefore(result.at + 1);
    if (result.kind !== "applied" || result.entry.author !== this.name || !this.isTrusting) return;
    this.#replies.set(result.entry.number, result.reply);
    const { request } = result.entry;
    if (result.reply?.kind !== "acquired" || request.kind !== "acquire") return;
    for (const [index, item] of result.reply.items.entries()) {
      if (item.kind === "granted" && request.items[index]?.name === "x") this.tokens.push(item.token);
    }
  }
}
