import type { ServerAddress } from "../../bus/nats/address.ts";
import { readGreeting } from "../../bus/nats/greeting.ts";
import type { Cancel } from "../../kernel/clock.ts";
import { fraction } from "../../kernel/random.ts";
import type { LeaseOpenOptions } from "../port.ts";
import type { LeaseReply, LeaseRequest, SessionId } from "../requests.ts";
import { type ConnectionSettings, JetstreamConnection } from "./connection.ts";
import { encodeEntry, type LogEntry, type LogNote } from "./entry.ts";
import { CATCH_UP_MS, EXPIRED_AT_ONCE, LOSSES_PER_TTL, MAX_SESSIONS_KNOWN, REDIAL_MS } from "./limits.ts";
import { type LogMessage, LogReader } from "./log-reader.ts";
import { Losses } from "./losses.ts";
import type { JetstreamLeasesSettings } from "./options.ts";
import { Patience } from "./patience.ts";
import { Refusals } from "./refusals.ts";
import { LeaseReplica } from "./replica.ts";
import { encodeSnapshot } from "./snapshot.ts";
import { LOG_START } from "./trail.ts";

export interface LinkSettings {
  readonly jetstream: JetstreamLeasesSettings;
  readonly configuration: string;
  /** A text that nobody else will ever use. */
  readonly nonce: string;
  readonly silentMs: number;
}

export interface LinkHandlers {
  onConnected(): void;
  onDisconnected(): void;
  onReply(id: number, reply: LeaseReply): void;
  onWarning(message: string): void;
}

/** What one connection is in. */
interface Session {
  readonly author: string;
  address: ServerAddress | undefined;
  connection: JetstreamConnection | undefined;
  /** By when it must be open. */
  cancelDeadline: Cancel;
  /** The end of the log when it began: once it has been read, requests are taken. */
  goal: number;
  isOpen: boolean;
  /** Entries up to this number were sent before the user of this link was told that the connection is gone: not answered. */
  forgotten: number;
  readonly patience: Patience;
  readonly refusals: Refusals;
  /** The last message that was read before this connection, which it begins with, to see that it is still there. */
  known: { readonly at: number; readonly writtenMs: number } | undefined;
}

/** The log of leases: a connection, and another one when it ends; and a replica that outlives them. */
export class JetstreamLink {
  readonly #options: Pick<LeaseOpenOptions, "clientName" | "clock" | "random">;
  readonly #settings: LinkSettings;
  readonly #handlers: LinkHandlers;
  #replica: LeaseReplica;
  #reader: LogReader | undefined;
  #session: Session | undefined;
  readonly #losses: Losses;
  #isTrusted = true;
  /**
   * How often there was no going on from what had been read. A lease session lasts no longer than the reading that it was opened in:
   * 1. this node reads, in one copy of the log, that it was given a name; 2. it connects anew, and the copy there does not have that;
   * 3. its session is in both. If it were kept, so would be the name that nobody else knows this node has.
   */
  #readings = 0;
  /** In which of these each session was opened, oldest first. */
  readonly #openedIn = new Map<SessionId, number>();
  /** It may greet, and be cut off from the others. */
  #failedLast: ServerAddress | undefined;
  #dialing: Promise<void>;
  #dialed = new AbortController();
  #cancelDial: Cancel = () => undefined;
  #cancelLook: Cancel = () => undefined;
  #sessions = 0;
  #entries = 0;
  #redials = 0;
  /** The same trouble at each dial is told once. */
  /** Told since it could be used last: a server that greets and cannot be used is tried for ever. */
  readonly #warned = new Set<string>();
  #isClosed = false;

  constructor(
    settings: LinkSettings,
    options: Pick<LeaseOpenOptions, "clientName" | "clock" | "random">,
    handlers: LinkHandlers,
  ) {
    this.#settings = settings;
    this.#options = options;
    this.#handlers = handlers;
    this.#losses = new Losses(options.random, settings.jetstream.lease.ttlMs / LOSSES_PER_TTL);
    this.#replica = this.#makeReplica();
    this.#dialing = this.#dial();
    this.#look();
  }

  send(id: number, request: LeaseRequest): void {
    const session = this.#session;
    if (session?.isOpen !== true) return;
    if (request.kind === "open") this.#noteOpened(request.session);
    if ("session" in request && this.#hasEnded(request.session)) this.#refuse(session, id, request);
    else this.#publish(session, id, request);
  }

  /** Not while the caller is still sending. */
  #refuse(
    session: Session,
    id: number,
    { connection, session: ended }: Extract<LeaseRequest, { readonly session: SessionId }>,
  ): void {
    // The others need not wait for it to fall silent.
    if (this.#isTrusted) this.#publish(session, 0, { kind: "close", session: ended, connection });
    const { forgotten } = session;
    this.#options.clock.endOfTurn(() => {
      const isSame = this.#session === session && session.forgotten === forgotten;
      if (isSame) this.#handlers.onReply(id, { kind: "noSession" });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#dialed.abort();
    this.#cancelDial();
    this.#cancelLook();
    const session = this.#session;
    this.#session = undefined;
    session?.cancelDeadline();
    session?.refusals.stop();
    await session?.connection?.close();
    // What is being dialled is closed when it is there.
    await this.#dialing;
  }

  async #dial(): Promise<void> {
    this.#sessions += 1;
    const author = `${this.#settings.nonce}-${this.#sessions}`;
    const session: Session = {
      author,
      address: undefined,
      connection: undefined,
      goal: 0,
      isOpen: false,
      forgotten: 0,
      patience: new Patience(this.#settings.silentMs),
      refusals: new Refusals(this.#options.clock, this.#options.random),
      known: undefined,
      cancelDeadline: () => undefined,
    };
    this.#session = session;
    const { dialTimeoutMs } = this.#settings.jetstream.nats;
    session.cancelDeadline = this.#options.clock.after(CATCH_UP_MS + 2 * dialTimeoutMs, () => {
      this.#failed(session, "the log could not be read in time");
    });
    try {
      await this.#begin(session);
    } catch (error) {
      this.#failed(session, error instanceof Error ? error.message : String(error));
    }
  }

  async #begin(session: Session): Promise<void> {
    const { author } = session;
    const { bucket, nats, replicas } = this.#settings.jetstream;
    const address = await this.#findServer();
    if (this.#session !== session) return;
    session.address = address;
    const settings: ConnectionSettings = {
      ...{ nats, bucket, replicas, silentMs: this.#settings.silentMs, clock: this.#options.clock },
      clientName: this.#options.clientName,
      inbox: `${nats.inboxPrefix}.${bucket}.${author}`,
    };
    const connection = await JetstreamConnection.open(address, settings, {
      onMessage: (message) => this.#read(session, message),
      onRefused: (id, reason) => this.#refused(session, id, reason),
      onEnd: (reason) => this.#failed(session, reason),
    });
    if (this.#session !== session) {
      await connection.close();
      return;
    }
    session.connection = connection;
    const greeting = await connection.greet();
    if (this.#session !== session) return;
    if (greeting.kind === "refused") {
      connection.fail(greeting.message);
      return;
    }
    for (const warning of greeting.warnings) this.#warn(warning);
    const { first_seq, last_seq } = greeting.info.state;
    session.goal = last_seq;
    await connection.read(greeting.info, this.#firstToRead(session, first_seq, last_seq));
    if (this.#session === session) this.#openIfRead(session);
  }

  /** From where the log is to be read on this connection: from where the last one ended, if that is still there. */
  #firstToRead(session: Session, first: number, end: number): number {
    const last = this.#reader?.last;
    const isShorter = last !== undefined && last.at > end;
    if (isShorter) this.#forget();
    const reader = this.#reader;
    if (reader !== undefined && last !== undefined && reader.isKnown && first <= last.at + 1 && last.at > 0) {
      session.known = first <= last.at ? last : undefined;
      return Math.max(first, last.at);
    }
    if (reader !== undefined) this.#losses.learn(reader);
    this.#readings += 1;
    this.#replica = this.#makeReplica();
    this.#reader = new LogReader(this.#replica, Math.max(1, first));
    return Math.max(1, first);
  }

  /** The log is not the one that was read: it was deleted, or its servers have lost what was not on their disks. */
  #forget(): void {
    if (this.#reader !== undefined) this.#losses.give(this.#reader);
    this.#warn("it has lost a part of the log of leases; strict names stay closed for a ttlMs");
    this.#giveUpReader();
  }

  /** Another one reads the log from its beginning. */
  #giveUpReader(): void {
    if (this.#reader !== undefined) this.#losses.learn(this.#reader);
    this.#reader = undefined;
  }

  #read(session: Session, message: LogMessage): void {
    const reader = this.#reader;
    if (this.#session !== session || reader === undefined) return;
    const { known } = session;
    if (known !== undefined) {
      session.known = undefined;
      if (message.at !== known.at) {
        // Deleted meanwhile, or not in this copy: what was read rests on something that is not there.
        this.#giveUpReader();
        session.connection?.fail("the last message that was read is not there any more");
        return;
      }
      if (message.writtenMs !== known.writtenMs) {
        this.#forget();
        session.connection?.fail("the log is another one than before");
        return;
      }
    }
    const result = reader.take(message);
    if (result.kind === "gap") {
      this.#giveUpReader();
      session.connection?.fail("the log was shortened before it was read");
      return;
    }
    const wasTrusted = this.#isTrusted;
    this.#isTrusted = this.#losses.trusts(reader, this.#replica.maxToken);
    if (result.kind === "restarted" || (wasTrusted && !this.#isTrusted)) this.#endSessions(session);
    if (result.kind === "applied" && result.entry.author === session.author) {
      this.#readOwn(session, result.entry, result.reply);
    }
    if (result.kind === "snapshot") this.#shorten(session, result.at);
    this.#openIfRead(session);
    this.#tellOfLoss(session);
  }

  #readOwn(session: Session, { id, number }: LogEntry, reply: LeaseReply | undefined): void {
    const reader = this.#reader;
    if (reader?.isSnapshotDue === true && this.#isTrusted) this.#writeSnapshot(session, reader);
    session.refusals.taken();
    const isLate = session.patience.isLate(number, this.#options.clock.now().monotonicMs);
    if (reply === undefined || id === 0 || !session.isOpen || number <= session.forgotten) return;
    if (!this.#isTrusted) this.#handlers.onReply(id, COPIES_DIFFER);
    else this.#handlers.onReply(id, isLate ? TOO_LATE : reply);
  }

  /** Whoever uses this link looks at its session again at once, and learns that it has ended. */
  #endSessions(session: Session): void {
    this.#readings += 1;
    if (!session.isOpen) return;
    session.forgotten = this.#entries;
    this.#handlers.onDisconnected();
    if (this.#session === session) this.#handlers.onConnected();
  }

  #hasEnded(session: SessionId): boolean {
    return (this.#openedIn.get(session) ?? this.#readings) !== this.#readings;
  }

  #noteOpened(session: SessionId): void {
    this.#openedIn.set(session, this.#readings);
    const [oldest] = this.#openedIn.keys();
    if (oldest !== undefined && this.#openedIn.size > MAX_SESSIONS_KNOWN) this.#openedIn.delete(oldest);
  }

  /** Not if it is refused: then those say it whose settings the log has. */
  #tellOfLoss(session: Session): void {
    const reader = this.#reader;
    if (this.#isTrusted || this.#session !== session || !session.isOpen || reader === undefined) return;
    if (!this.#replica.accepts(this.#settings.configuration)) return;
    const note = this.#losses.note(reader, this.#options.clock.now().monotonicMs);
    if (note === undefined) return;
    if (reader.isForked) {
      this.#warn(
        "its servers have different copies of the log of leases; strict names stay closed for a ttlMs",
      );
    }
    this.#publish(session, 0, note);
  }

  #openIfRead(session: Session): void {
    const reader = this.#reader;
    if (session.isOpen || this.#session !== session || reader === undefined) return;
    if (reader.last.at < session.goal) return;
    if (!reader.isKnown) {
      session.connection?.fail(
        "the log has no beginning, and no snapshot: somebody has deleted from it; stop all nodes for a ttlMs, and delete the stream",
      );
      return;
    }
    session.isOpen = true;
    session.cancelDeadline();
    this.#redials = 0;
    this.#warned.clear();
    this.#isTrusted = this.#losses.trusts(reader, this.#replica.maxToken);
    // Before anything else that this node asks.
    this.#tellOfLoss(session);
    this.#handlers.onConnected();
  }

  #failed(session: Session, reason: string): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    session.cancelDeadline();
    session.refusals.stop();
    this.#failedLast = session.address;
    void session.connection?.close();
    if (this.#isClosed) return;
    const { clock, random } = this.#options;
    const spreadMs = Math.min(REDIAL_MS.last, REDIAL_MS.first * 2 ** this.#redials);
    this.#redials += 1;
    this.#cancelDial = clock.after(spreadMs * fraction(random), () => {
      this.#dialing = this.#dial();
    });
    if (session.isOpen) this.#handlers.onDisconnected();
    else this.#warn(`it cannot be used: ${reason}; it is tried for ever`);
  }

  #refused(session: Session, id: number, reason: string): void {
    if (this.#session !== session || !session.isOpen || id === 0) return;
    const { forgotten } = session;
    session.refusals.add(() => {
      const isSame = this.#session === session && session.forgotten === forgotten;
      if (isSame) this.#handlers.onReply(id, { kind: "failed", message: reason });
    });
  }

  #publish(session: Session, id: number, request: LeaseRequest | LogNote): void {
    this.#entries += 1;
    const { configuration } = this.#settings;
    session.patience.asked(this.#entries, this.#options.clock.now().monotonicMs);
    const mark = this.#reader?.mark ?? LOG_START;
    const entry = { author: session.author, number: this.#entries, id, configuration, mark, request };
    session.connection?.publish("entry", encodeEntry(entry), id);
  }

  #writeSnapshot(session: Session, reader: LogReader): void {
    const parts = encodeSnapshot(reader.snapshot(), session.author);
    if (parts === undefined) this.#warn("there is too much for a snapshot: the log is not shortened");
    for (const part of parts ?? []) session.connection?.publish("part", part);
  }

  /** Whoever sees a whole snapshot while it is up to date may do it; all do the same, so it does not matter who is first. */
  #shorten(session: Session, at: number): void {
    if (!session.isOpen || !this.#isTrusted) return;
    session.connection?.purgeBefore(at + 1).catch((error: unknown) => {
      if (this.#session !== session) return;
      const said = error instanceof Error ? error.message : String(error);
      this.#warn(`the log could not be shortened: ${said}; allow it to be purged`);
    });
  }

  /** Now and then: who has not been heard of for too long? */
  #look(): void {
    const { clock, random } = this.#options;
    const { ttlMs } = this.#settings.jetstream.lease;
    const session = this.#session;
    if (session !== undefined) this.#tellOfLoss(session);
    if (session?.isOpen === true && this.#isTrusted) {
      for (const note of this.#replica.overdue(ttlMs / 6, EXPIRED_AT_ONCE)) this.#publish(session, 0, note);
    }
    // Not all nodes at once: the word of the first does for all.
    const everyMs = (ttlMs / LOOKS_PER_TTL) * (0.5 + fraction(random));
    this.#cancelLook = clock.after(everyMs, () => this.#look());
  }

  /**
   * The first that greets of those given, for the client would wait for one that is hung; the one that failed last only if there is
   * no other.
   */
  async #findServer(): Promise<ServerAddress> {
    const { nats } = this.#settings.jetstream;
    const [only] = nats.servers;
    if (only === undefined) throw new Error("no server is given");
    if (nats.tls?.handshakeFirst === true) {
      return nats.servers[Math.floor(fraction(this.#options.random) * nats.servers.length)] ?? only;
    }
    this.#dialed.abort();
    const dialed = new AbortController();
    this.#dialed = dialed;
    const { clock } = this.#options;
    const failures: string[] = [];
    const found = await new Promise<ServerAddress | undefined>((resolve) => {
      let second: ServerAddress | undefined;
      let left = nats.servers.length;
      for (const address of nats.servers) {
        const { host, port, text } = address;
        const asked = { host, port, timeoutMs: nats.dialTimeoutMs, clock, signal: dialed.signal };
        void readGreeting(asked).then((greeting) => {
          left -= 1;
          if (greeting.kind !== "greeted") failures.push(`${text} (${greeting.error.message})`);
          else if (address === this.#failedLast) second = address;
          else resolve(address);
          if (left === 0) resolve(second);
        });
      }
    });
    dialed.abort();
    if (found === undefined) throw new Error(`no server answers: ${failures.join(", ")}`);
    return found;
  }

  #makeReplica(): LeaseReplica {
    const { clock } = this.#options;
    return new LeaseReplica(this.#settings.jetstream.lease, () => clock.now().monotonicMs);
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    if (this.#warned.size >= MAX_WARNED) this.#warned.clear();
    this.#warned.add(message);
    this.#handlers.onWarning(`JetStream ${this.#settings.jetstream.bucket}: ${message}`);
  }
}

/** What this copy of the log says to it does not count. */
const COPIES_DIFFER: LeaseReply = {
  kind: "failed",
  message: "the servers have different copies of the log of leases",
};

/** It may stand in one copy only. What it was about is asked again. */
const TOO_LATE: LeaseReply = { kind: "failed", message: "the log of leases has said nothing for too long" };

/** How often it is looked for sessions that have ended: they end so much of a `ttlMs` late. */
const LOOKS_PER_TTL = 50;

/** Warnings that are not told again. Those that hold numbers may be many. */
const MAX_WARNED = 100;
