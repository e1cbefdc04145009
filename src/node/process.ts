import type { Notice } from "../global/types.ts";
import { BoundedQueue } from "../kernel/bounded-queue.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Pid } from "../kernel/ids.ts";
import { type Deferred, deferred } from "./deferred.ts";
import type { FailureCause } from "./message-wire.ts";
import type { ReplyTo } from "./reply.ts";
import type { Budget, Runnable } from "./run-queue.ts";
import type { Handler, HandlerContext, Process } from "./types.ts";

/** One message on its way into a handler. */
export interface Delivery {
  /** Decoded, read-only. */
  readonly message: unknown;
  readonly from: Pid | undefined;
  /** Undefined: nobody waits for an answer. */
  readonly reply: ReplyTo | undefined;
  /** What lease servers know the strict name by that it was sent to: it is for whoever holds that when the handler begins. */
  readonly strictKey?: string | undefined;
}

export interface ProcessSettings {
  readonly handler: Handler | undefined;
  readonly concurrency: number;
  readonly mailbox: number;
  readonly onError: "continue" | "exit";
  readonly onNotice: ((notice: Notice, context: { readonly self: Process }) => void) | undefined;
}

/** What a process needs of its node. */
export interface ProcessHost {
  readonly budget: Budget;
  nowMs(): number;
  /** It has messages to handle. */
  ready(process: LocalProcess): void;
  /** It has ended: everybody else must hear of it. */
  ended(process: LocalProcess, reason: ExitReason): void;
  /** The handler failed on a message that nobody waits for an answer to, or `onNotice` failed. */
  failed(process: LocalProcess, error: unknown): void;
  /** Messages that were never handled. */
  undelivered(messages: number): void;
  /** A call was not begun, because its caller had given up. */
  expired(): void;
  mailboxFull(process: LocalProcess): void;
  checkReason(reason: ExitReason): ExitReason;
  /** Tells of leases that have run out. Users' code may run, and this process end. */
  beforeHandler(): void;
  /** By which it holds that strict name now. */
  tokenOf(process: LocalProcess, strictKey: string): bigint | undefined;
}

/** Messages that are missing in front of the one of this number: no more gaps than there are messages in a full mailbox. */
interface Gap {
  readonly before: number;
  missed: number;
}

/** Messages that one process handles before the others have their turn. */
const MESSAGES_AT_ONCE = 64;

/** A process, its mailbox, and its handler. */
export class LocalProcess implements Process, Runnable {
  readonly pid: Pid;
  readonly serial: number;
  queued = false;
  readonly #host: ProcessHost;
  readonly #settings: ProcessSettings;
  #reason: ExitReason | undefined;
  // A process that only holds a name needs none of these, and there may be a million of that kind.
  #mailbox: BoundedQueue<Delivery> | undefined;
  /** Deliveries whose handler gave a promise that is not settled. */
  #running: Set<Delivery> | undefined;
  #exited: Deferred<ExitReason> | undefined;
  /** What this library keeps for it elsewhere, and lets go of when it ends. */
  #onEnd: Set<() => void> | undefined;
  /** Where messages were dropped, as its mailbox was full. */
  #gaps: Gap[] | undefined;
  /** Messages ever taken into the mailbox, and out of it. */
  #accepted = 0;
  #taken = 0;
  #controller: AbortController | undefined;

  constructor(host: ProcessHost, pid: Pid, serial: number, settings: ProcessSettings) {
    this.#host = host;
    this.pid = pid;
    this.serial = serial;
    this.#settings = settings;
  }

  get alive(): boolean {
    return this.#reason === undefined;
  }

  /** Nothing waits, and nothing is being handled. */
  get idle(): boolean {
    return this.waiting === 0 && this.#handling === 0;
  }

  /** How many messages may wait. */
  get capacity(): number {
    return this.#settings.mailbox;
  }

  get waiting(): number {
    return this.#mailbox?.length ?? 0;
  }

  get #handling(): number {
    return this.#running?.size ?? 0;
  }

  get exited(): Promise<ExitReason> {
    this.#exited ??= deferred();
    if (this.#reason !== undefined) this.#exited.resolve(this.#reason);
    return this.#exited.promise;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (!this.alive) this.#abort(this.#controller);
    return this.#controller.signal;
  }

  exit(reason: ExitReason = { kind: "normal" }): void {
    const checked = this.#host.checkReason(reason);
    if (this.alive) this.#host.ended(this, checked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.exit();
  }

  /** Called in the turn in which it ends, before anybody hears of it. For this library's own code, which must not throw. */
  onEnd(run: () => void): void {
    this.#onEnd ??= new Set();
    this.#onEnd.add(run);
  }

  offEnd(run: () => void): void {
    this.#onEnd?.delete(run);
  }

  /** False: the mailbox is full. */
  deliver(delivery: Delivery): boolean {
    this.#mailbox ??= new BoundedQueue({ name: "mailbox", items: this.#settings.mailbox });
    if (!this.#mailbox.push(delivery)) {
      this.#noteGap();
      return false;
    }
    this.#accepted += 1;
    if (this.#handling < this.#settings.concurrency) this.#host.ready(this);
    return true;
  }

  /** Gives a promise if its own code does, which never rejects. */
  notify(notice: Notice): Promise<unknown> | undefined {
    const { onNotice } = this.#settings;
    if (onNotice === undefined || !this.alive) return undefined;
    try {
      const result: unknown = onNotice(notice, { self: this });
      if (isThenable(result))
        return Promise.resolve(result).catch((error: unknown) => this.#host.failed(this, error));
    } catch (error) {
      this.#host.failed(this, error);
    }
    return undefined;
  }

  runSome(budget: Budget): boolean {
    for (let run = 0; run < MESSAGES_AT_ONCE; run += 1) {
      if (!this.#canRun() || !budget.take()) break;
      const delivery = this.#mailbox?.shift();
      if (delivery !== undefined) this.#handle(delivery, this.#takeGap());
    }
    return this.#canRun();
  }

  /** From here on it is dead: calls that wait for it fail. For the host, which tells everyone else. */
  end(reason: ExitReason): void {
    this.#reason = reason;
    const onEnd = this.#onEnd ?? [];
    this.#onEnd = undefined;
    for (const run of onEnd) run();
    for (const delivery of this.#running ?? []) delivery.reply?.fail({ cause: "noSuchProcess" });
    this.#running = undefined;
    let lost = 0;
    for (let delivery = this.#mailbox?.shift(); delivery !== undefined; delivery = this.#mailbox?.shift()) {
      if (delivery.reply === undefined) lost += 1;
      else delivery.reply.fail({ cause: causeOfLoss(delivery) });
    }
    this.#mailbox = undefined;
    if (lost > 0) this.#host.undelivered(lost);
  }

  /** Lets its own code know. Users' code runs here. */
  announceEnd(): void {
    if (this.#reason !== undefined) this.#exited?.resolve(this.#reason);
    if (this.#controller !== undefined) this.#abort(this.#controller);
  }

  #noteGap(): void {
    this.#gaps ??= [];
    const last = this.#gaps.at(-1);
    if (last?.before === this.#accepted) last.missed += 1;
    else this.#gaps.push({ before: this.#accepted, missed: 1 });
  }

  /** Of the message that has just been taken out: how many are missing in front of it. */
  #takeGap(): number {
    this.#taken += 1;
    return this.#gaps?.[0]?.before === this.#taken - 1 ? (this.#gaps.shift()?.missed ?? 0) : 0;
  }

  #canRun(): boolean {
    return this.waiting > 0 && this.#handling < this.#settings.concurrency;
  }

  #handle(delivery: Delivery, missed: number): void {
    const { handler } = this.#settings;
    const { reply } = delivery;
    if (reply !== undefined && this.#host.nowMs() >= reply.expiresAtMs) {
      this.#host.expired();
      return;
    }
    this.#host.beforeHandler();
    const token = delivery.strictKey === undefined ? undefined : this.#host.tokenOf(this, delivery.strictKey);
    if (!this.alive || (delivery.strictKey !== undefined && token === undefined)) {
      if (reply === undefined) this.#host.undelivered(1);
      else reply.fail({ cause: causeOfLoss(delivery) });
      return;
    }
    if (handler === undefined) {
      if (reply === undefined) this.#host.undelivered(1);
      else reply.fail({ cause: "threw", error: new Error("the process has no handler") });
      return;
    }
    try {
      const result = handler(delivery.message, new Context(this, delivery, token, missed));
      if (isThenable(result)) this.#await(delivery, result);
      else if (this.alive) reply?.answer(result);
      else reply?.fail({ cause: "noSuchProcess" });
    } catch (error) {
      this.#fail(delivery, error);
    }
  }

  #await(delivery: Delivery, result: PromiseLike<unknown>): void {
    if (this.alive) {
      this.#running ??= new Set();
      this.#running.add(delivery);
    } else {
      // The handler ended its own process before it had an answer.
      delivery.reply?.fail({ cause: "noSuchProcess" });
    }
    // What a handler does after its process has ended concerns nobody: mostly it fails because its signal was aborted.
    Promise.resolve(result).then(
      (value) => {
        if (this.#running?.delete(delivery) !== true) return;
        delivery.reply?.answer(value);
        this.#goOn();
      },
      (error: unknown) => {
        if (this.#running?.delete(delivery) !== true) return;
        this.#fail(delivery, error);
        this.#goOn();
      },
    );
  }

  #fail(delivery: Delivery, error: unknown): void {
    if (!this.alive) delivery.reply?.fail({ cause: "noSuchProcess" });
    else if (delivery.reply === undefined) this.#host.failed(this, error);
    else delivery.reply.fail({ cause: "threw", error });
    if (this.#settings.onError === "exit") this.exit({ kind: "error", error });
  }

  /** A handler has settled, maybe in the middle of a turn: if the turn has room, the next message need not wait for another. */
  #goOn(): void {
    if (!this.#canRun() || this.queued) return;
    if (this.runSome(this.#host.budget)) this.#host.ready(this);
  }

  #abort(controller: AbortController): void {
    if (controller.signal.aborted) return;
    controller.abort(
      new DOMException(`process ${this.pid} has ended: ${this.#reason?.kind ?? ""}`, "AbortError"),
    );
  }
}

class Context implements HandlerContext {
  readonly self: LocalProcess;
  readonly from: Pid | undefined;
  readonly token: bigint | undefined;
  readonly isCall: boolean;
  readonly missed: number;

  constructor(self: LocalProcess, delivery: Delivery, token: bigint | undefined, missed: number) {
    this.self = self;
    this.from = delivery.from;
    this.token = token;
    this.isCall = delivery.reply !== undefined;
    this.missed = missed;
  }

  get signal(): AbortSignal {
    return this.self.signal;
  }
}

/** Why a message was not begun. Whoever called a strict name may look for another holder. */
export function causeOfLoss({ strictKey }: Pick<Delivery, "strictKey">): FailureCause {
  return strictKey === undefined ? "noSuchProcess" : "notHolder";
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
