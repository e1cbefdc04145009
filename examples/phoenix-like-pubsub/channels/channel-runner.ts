import type { ClusterNode, ExitReason, Logger, Pid, Presence, PresenceMeta, Process } from "rollcall";
import { Answer } from "./answer.ts";
import type { ChannelLimits } from "./limits.ts";
import type { Frame, Ref } from "./messages.ts";
import type { FeedPlace, PresenceFeeds } from "./presence-feeds.ts";
import { isPromiseLike } from "./promise-like.ts";
import type { StopReason } from "./session.ts";
import { TaskQueue } from "./task-queue.ts";
import type { Listener, Seat, Topics } from "./topics.ts";
import type { Assigns, Channel, ChannelContext, ChannelEnd, ChannelPresence } from "./types.ts";
import { UnsendableError } from "./wire.ts";

/** What all channels of one node share. */
export interface ChannelServices {
  readonly node: ClusterNode;
  readonly topics: Topics;
  readonly presence: Presence;
  readonly feeds: PresenceFeeds;
  readonly limits: ChannelLimits;
  readonly logger: Logger;
}

/** To whom a channel tells what becomes of it. */
export interface ChannelPort extends Listener {
  admitted(response: unknown): void;
  refused(response: unknown): void;
  answered(ref: Ref, status: string, response: unknown): void;
  pushed(event: string, payload: unknown): void;
  /** An event was dealt with, or dropped. */
  handled(): void;
  ended(crashed: boolean): void;
  /** The process was shut down, as all of its node are when that stops: the client is to go elsewhere. */
  nodeStopped(): void;
}

export interface ChannelStart {
  readonly channel: Channel;
  readonly topic: string;
  readonly payload: unknown;
  readonly assigns: Assigns;
}

/**
 * One channel of one client: its process, and what it was asked for, one after the other. Whatever ends it (the client, its own
 * functions, its process) leads to `#finish`, once.
 */
export class ChannelRunner {
  readonly process: Process;
  readonly #services: ChannelServices;
  readonly #port: ChannelPort;
  readonly #start: ChannelStart;
  readonly #context: ChannelContext;
  readonly #tasks = new TaskQueue();
  readonly #stopping = new AbortController();
  #isAdmitted = false;
  #seat: Seat | undefined;
  #feed: FeedPlace | undefined;
  /** Events that were given and are not dealt with. */
  #events = 0;
  #end: ChannelEnd | undefined;
  #hasEnded = false;
  #timer: NodeJS.Timeout | undefined;

  /** @throws LimitExceededError, BusClosedError: the node takes no more processes */
  constructor(services: ChannelServices, port: ChannelPort, start: ChannelStart) {
    this.#services = services;
    this.#port = port;
    this.#start = start;
    const { limits, node } = services;
    const { channel } = start;
    this.process = node.spawn(
      channel.handleInfo === undefined ? undefined : (message, { from }) => this.#inform(message, from),
      { mailbox: limits.mailbox },
    );
    this.#context = this.#makeContext();
    void this.process.exited.then((reason) => this.#exited(reason));
  }

  begin(): void {
    this.#tasks.add(() => this.#join());
  }

  handle(event: string, payload: unknown, ref: Ref): void {
    this.#events += 1;
    this.#tasks.add(() =>
      this.#attempt(
        () => {
          const { channel } = this.#start;
          if (channel.handleIn === undefined) throw new Error(`the channel takes no events; came: ${event}`);
          return channel.handleIn(event, payload, this.#context);
        },
        (answer) => {
          this.#handled();
          if (answer instanceof Answer) this.#port.answered(ref, answer.status, answer.response);
          else if (answer !== undefined)
            throw new Error("handleIn gives what ok, refuse or reply make, or nothing");
        },
      ),
    );
  }

  /** It finishes what it was given before; nothing else reaches it any more. */
  stop(reason: StopReason): void {
    this.#conclude({ kind: reason });
  }

  #join(): unknown {
    const { channel, payload, topic } = this.#start;
    return this.#attempt(
      () => channel.join(payload, this.#context),
      (answer) => {
        if (!(answer instanceof Answer)) throw new Error("join gives what ok or refuse make");
        if (answer.status !== "ok") {
          this.#port.refused(answer.response);
          this.#finish(false);
          return undefined;
        }
        if (this.#isEnding) return undefined;
        const seat = this.#services.topics.take(topic, this.#port);
        this.#seat = seat;
        // Before the client is let in: the node may take no more watches, and who was told ok is in.
        if (this.#start.channel.presence === true) this.#feed = this.#services.feeds.take(topic);
        if (seat.ready === undefined) return this.#admit(seat, answer.response);
        return this.#attempt(
          () => seat.ready,
          () => this.#admit(seat, answer.response),
        );
      },
    );
  }

  #admit(seat: Seat, response: unknown): void {
    if (this.#isEnding) return;
    this.#isAdmitted = true;
    this.#port.admitted(response);
    // The client may have gone while it was told.
    if (this.#isEnding) return;
    seat.listen();
    const port = this.#port;
    this.#feed?.follow({
      // It may be too long for this client: that is no matter of the others.
      state: (presences) =>
        void this.#attempt(
          () => port.pushed("presence_state", presences),
          () => undefined,
        ),
      diff: (frame: Frame) => port.deliver(frame),
    });
  }

  get #isEnding(): boolean {
    return this.#end !== undefined;
  }

  /** A message of another process: whoever calls waits for what comes of it. */
  #inform(message: unknown, from: Pid | undefined): Promise<unknown> {
    return new Promise((resolve) => {
      this.#tasks.add(() =>
        this.#attempt(() => this.#start.channel.handleInfo?.(message, { ...this.#context, from }), resolve),
      );
    });
  }

  /** Runs what was given by the program that uses this; what it throws, now or later, is a crash. */
  #attempt<T>(run: () => T | PromiseLike<T>, done: (value: T) => unknown): unknown {
    if (this.#hasEnded) return undefined;
    const finish = (value: T): unknown => {
      if (this.#hasEnded) return undefined;
      try {
        return done(value);
      } catch (error) {
        return this.#crash(error);
      }
    };
    try {
      const value = run();
      return isPromiseLike(value)
        ? Promise.resolve(value).then(finish, (error: unknown) => this.#crash(error))
        : finish(value);
    } catch (error) {
      return this.#crash(error);
    }
  }

  #crash(error: unknown): void {
    const { logger } = this.#services;
    const details = { topic: this.#start.topic, error };
    // What was interrupted by the end may well throw.
    if (this.#end === undefined) logger.error(details, "a channel crashed");
    else logger.debug(details, "what a channel did threw when it was to end");
    this.#tasks.clear();
    this.#conclude({ kind: "error", error });
    // One that was about to end need not have the rest of its tasks run for that.
    this.#tasks.add(() => this.#terminate());
  }

  #exited(reason: ExitReason): void {
    if (this.#hasEnded) return;
    if (reason.kind === "shutdown") this.#port.nodeStopped();
    this.#tasks.clear();
    this.#conclude({ kind: "exited", reason });
    this.#tasks.add(() => this.#terminate());
  }

  /** Nothing new comes in, and when what has come is done it is over: after `closeMs` at the latest. */
  #conclude(end: ChannelEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#seat?.leave();
    this.#feed?.leave();
    this.#timer = setTimeout(() => this.#finish(this.#isCrash(end)), this.#services.limits.closeMs);
    this.#stopping.abort();
    this.#tasks.add(() => this.#terminate());
  }

  #terminate(): unknown {
    const end = this.#end;
    if (this.#hasEnded || end === undefined) return undefined;
    const finish = (): void => this.#finish(this.#isCrash(end));
    const { channel, topic } = this.#start;
    if (!this.#isAdmitted || channel.terminate === undefined) return finish();
    const fail = (error: unknown): void => {
      this.#services.logger.error({ topic, error }, "a channel crashed while it ended");
      finish();
    };
    try {
      const done = channel.terminate(end, this.#context);
      return isPromiseLike(done) ? Promise.resolve(done).then(finish, fail) : finish();
    } catch (error) {
      return fail(error);
    }
  }

  #isCrash(end: ChannelEnd): boolean {
    if (end.kind === "exited") return end.reason.kind !== "normal" && end.reason.kind !== "shutdown";
    return end.kind === "error";
  }

  #finish(crashed: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#tasks.clear();
    this.#seat?.leave();
    this.#feed?.leave();
    while (this.#events > 0) this.#handled();
    const end = this.#end;
    this.process.exit(end?.kind === "error" ? { kind: "error", error: end.error } : { kind: "normal" });
    this.#stopping.abort();
    if (crashed && !this.#isAdmitted) this.#port.refused({ reason: "join crashed" });
    this.#port.ended(crashed);
  }

  #handled(): void {
    this.#events -= 1;
    this.#port.handled();
  }

  #makeContext(): ChannelContext {
    const { node, topics } = this.#services;
    const { assigns, topic } = this.#start;
    const port = this.#port;
    return {
      topic,
      assigns,
      node,
      process: this.process,
      signal: this.#stopping.signal,
      presence: this.#makePresence(),
      push: (event, payload = {}) => port.pushed(event, payload),
      broadcast: (event, payload = {}) => topics.broadcast(topic, { event, payload }),
      broadcastFrom: (event, payload = {}) => topics.broadcast(topic, { event, payload }, port),
      stop: () => this.#conclude({ kind: "stopped" }),
    };
  }

  #makePresence(): ChannelPresence {
    const { presence } = this.#services;
    const { topic } = this.#start;
    const { process } = this;
    return {
      track: (key, meta) => presence.track(process, topic, key, checkMeta(meta)),
      update: (key, meta) =>
        presence.update(
          process,
          topic,
          key,
          typeof meta === "function" ? (before: PresenceMeta) => checkMeta(meta(before)) : checkMeta(meta),
        ),
      untrack: (key) => presence.untrack(process, topic, key),
      list: () => presence.list(topic),
      getByKey: (key) => presence.getByKey(topic, key),
    };
  }
}

/** Clients of all nodes will be told. */
function checkMeta(meta: object = {}): object {
  try {
    JSON.stringify(meta);
    return meta;
  } catch (cause) {
    throw new UnsendableError("the metadata of a presence is what JSON can say", { cause });
  }
}
