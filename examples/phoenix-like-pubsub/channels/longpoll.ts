import type { ServedTransport } from "./clients.ts";
import type { CloseCause, Connection } from "./connection.ts";
import type { ChannelLimits } from "./limits.ts";
import type { Frame } from "./messages.ts";
import { PollBox, type PollEffect, type PollId, type PollInput } from "./poll-box.ts";

/** What a poll is answered. */
export interface PollAnswer {
  readonly status: 200 | 204 | 410;
  readonly messages: readonly string[];
}

/** What a batch is answered: taken; it has what is no frame; no room in time; the session is over. */
export type BatchStatus = 200 | 400 | 408 | 410;

/** Frames to and from one client that polls. */
export class LongPollTransport implements ServedTransport {
  readonly takesBytes = false;
  readonly #limits: ChannelLimits;
  readonly #box: PollBox;
  readonly #onEnd: (cause: CloseCause) => void;
  readonly #answers = new Map<PollId, (answer: PollAnswer) => void>();
  /** Batches that wait for room. */
  readonly #waiting = new Set<() => void>();
  readonly #ending = new AbortController();
  #connection: Connection | undefined;
  #lastPoll: PollId = 0;
  #cause: CloseCause = "idle";
  #isTaking = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onEnd told when it is over, and why */
  constructor(limits: ChannelLimits, onEnd: (cause: CloseCause) => void) {
    this.#limits = limits;
    this.#onEnd = onEnd;
    this.#box = new PollBox(limits, performance.now());
    this.#arm();
  }

  /** Aborted when it is over. */
  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  get #hasEnded(): boolean {
    return this.ended.aborted;
  }

  serve(connection: Connection): void {
    this.#connection = connection;
  }

  /** @param signal aborted when whoever polls is gone: then nobody is answered, and nothing is lost */
  poll(signal: AbortSignal): Promise<PollAnswer> {
    this.#lastPoll += 1;
    const poll = this.#lastPoll;
    return new Promise((resolve) => {
      this.#answers.set(poll, resolve);
      signal.addEventListener("abort", () => {
        if (this.#answers.delete(poll)) this.#step({ kind: "pollGone", poll });
      });
      this.#step({ kind: "poll", poll });
    });
  }

  /**
   * There is one batch of a session at a time, as the client has it: else any number of them could wait here for room.
   *
   * @returns false: another is under way
   */
  beginBatch(): boolean {
    const isFree = !this.#isTaking;
    this.#isTaking = true;
    return isFree;
  }

  endBatch(): void {
    this.#isTaking = false;
  }

  /** One frame after the other, as long as there is room. */
  async take(frames: readonly Frame[]): Promise<BatchStatus> {
    const connection = this.#connection;
    this.#step({ kind: "request" });
    const deadlineMs = performance.now() + this.#limits.pollMs;
    for (const frame of frames) {
      while (connection?.isBusy === true && !this.#hasEnded) {
        if (!(await this.#room(deadlineMs - performance.now()))) return 408;
      }
      if (connection === undefined || this.#hasEnded) return 410;
      if (!connection.receive(frame)) return 400;
    }
    return 200;
  }

  send(frame: Frame): void {
    if (typeof frame === "string") this.#step({ kind: "message", text: frame });
  }

  close(cause: CloseCause): void {
    if (this.#hasEnded) return;
    this.#cause = cause;
    this.#step({ kind: "end" });
  }

  pause(): void {}

  resume(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #room(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (hasRoom: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(hasRoom);
      };
      const wake = (): void => settle(true);
      const timer = setTimeout(() => settle(false), Math.max(0, withinMs));
      this.#waiting.add(wake);
    });
  }

  #step(input: PollInput): void {
    for (const effect of this.#box.step(input, performance.now())) this.#carryOut(effect);
    this.#arm();
  }

  #carryOut(effect: PollEffect): void {
    switch (effect.kind) {
      case "answer": {
        const { messages, poll, status } = effect;
        const answer = this.#answers.get(poll);
        this.#answers.delete(poll);
        answer?.({ status, messages });
        break;
      }
      case "flushSoon":
        setImmediate(() => this.#step({ kind: "flush" }));
        break;
      case "ended":
        this.#ending.abort();
        this.#onEnd(effect.cause === "slow" ? "slow" : this.#cause);
        this.resume();
        this.#connection?.closed();
        break;
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#hasEnded) return;
    const inMs = Math.max(0, this.#box.deadlineMs - performance.now());
    // A timer may come a little early by this clock.
    this.#timer = setTimeout(() => this.#step({ kind: "tick" }), Math.ceil(inMs));
  }
}
