import { ChannelRunner, type ChannelServices } from "./channel-runner.ts";
import type { Frame, ServerMessage } from "./messages.ts";
import type { Routes } from "./routes.ts";
import { type ChannelId, Session, type SessionEffect, type SessionInput } from "./session.ts";
import type { Assigns, Channel } from "./types.ts";
import { decodeBinary, decodeText, encode, encodeWithin, MalformedFrameError } from "./wire.ts";

/** Why a client is sent away. Each transport has its own way to say so. */
export type CloseCause = "disconnected" | "idle" | "malformed" | "restart" | "slow";

/** What carries frames to one client. */
export interface Transport {
  /** False: bytes have no way to the client. */
  readonly takesBytes: boolean;
  send(frame: Frame): void;
  /** It calls `closed` of the connection, now or later. Idempotent. */
  close(cause: CloseCause): void;
  /** Nothing is to be received until `resume`. */
  pause(): void;
  resume(): void;
}

export interface ConnectionServices extends ChannelServices {
  readonly routes: Routes<Channel>;
  readonly counts: { crashes: number; binaryDropped: number; channels: number };
}

/** A channel whose frame is too long crashes. What the session says of its own accord may be an echo: that is no fault of a channel. */
const SAID_BY_CHANNELS: ReadonlySet<SessionInput["kind"]> = new Set([
  "admitted",
  "answered",
  "pushed",
  "refused",
]);

/** What is to be done for a session, in the order in which it said so. */
type Due =
  | { readonly kind: "frame"; readonly frame: Frame }
  | Exclude<SessionEffect, { readonly kind: "send" }>;

/** One client, whatever carries its frames: its session, and the channels that this has. */
export class Connection {
  readonly id: string | undefined;
  readonly #services: ConnectionServices;
  readonly #transport: Transport;
  readonly #assigns: Assigns;
  /** Resolves when the transport is gone, and all channels have ended. */
  readonly whenEnded: Promise<void>;
  #ended: () => void = () => {};
  readonly #onClosed: () => void;
  readonly #session: Session;
  readonly #runners = new Map<ChannelId, ChannelRunner>();
  readonly #due: Due[] = [];
  /** A channel does something: starts, is given an event, or stops. */
  #isAtWork = false;
  #events = 0;
  #isPaused = false;
  #isClosed = false;

  constructor(
    services: ConnectionServices,
    transport: Transport,
    client: { readonly assigns: Assigns; readonly id: string | undefined },
    onClosed: () => void,
  ) {
    this.id = client.id;
    this.#services = services;
    this.#transport = transport;
    this.#assigns = client.assigns;
    this.#onClosed = onClosed;
    this.whenEnded = new Promise((resolve) => {
      this.#ended = resolve;
    });
    const { limits, routes } = services;
    this.#session = new Session({
      channels: limits.channels,
      isRoutable: (topic) => routes.find(topic) !== undefined,
    });
  }

  /** Whether as many events wait as may. */
  get isBusy(): boolean {
    return this.#isPaused;
  }

  /** @returns false: it was no frame, and the client is sent away */
  receive(frame: Frame): boolean {
    if (this.#isClosed) return true;
    const { limits, logger } = this.#services;
    try {
      const message =
        typeof frame === "string" ? decodeText(frame, limits.payloadDepth) : decodeBinary(frame);
      this.#step({ kind: "received", message });
      return true;
    } catch (error) {
      if (!(error instanceof MalformedFrameError)) throw error;
      logger.info({ error }, "a client sent what is no frame");
      this.#transport.close("malformed");
      return false;
    }
  }

  close(cause: CloseCause): void {
    this.#transport.close(cause);
  }

  /** The transport is gone. Idempotent. */
  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClosed();
    this.#step({ kind: "closed" });
    if (this.#runners.size === 0) this.#ended();
  }

  /** @throws UnsendableError: the session wants to say what has no frame */
  #step(input: SessionInput): void {
    const before = this.#session.channels;
    const effects = this.#session.step(input);
    this.#services.counts.channels += this.#session.channels - before;
    try {
      for (const effect of effects) this.#add(effect, input);
    } finally {
      this.#carryOut();
    }
  }

  #add(effect: SessionEffect, { kind }: SessionInput): void {
    if (effect.kind !== "send") {
      this.#due.push(effect);
      return;
    }
    // Here, and not when its turn comes: whoever said it is told that it cannot be said.
    const frame = this.#frameOf(effect.message, SAID_BY_CHANNELS.has(kind));
    if (frame !== undefined) this.#due.push({ kind: "frame", frame });
  }

  /** Undefined: it has no way to the client. */
  #frameOf(message: ServerMessage, isLimited: boolean): Frame | undefined {
    const { outboundBytes } = this.#services.limits;
    const frame = isLimited ? encodeWithin(outboundBytes, message) : encode(message);
    if (typeof frame === "string" || this.#transport.takesBytes) return frame;
    this.#services.counts.binaryDropped += 1;
    if (message.kind !== "reply") return undefined;
    // Else whoever asked would wait until it gives up.
    const response = { reason: "bytes cannot be sent by long polling" };
    return encode({ ...message, status: "error", response });
  }

  #deliver(frame: Frame): void {
    if (this.#isClosed) return;
    if (typeof frame !== "string" && !this.#transport.takesBytes) {
      this.#services.counts.binaryDropped += 1;
      return;
    }
    this.#due.push({ kind: "frame", frame });
    this.#carryOut();
  }

  /**
   * What is due is done in its order, whatever is said meanwhile: a transport may close while it sends. Else:
   *
   * 1. a channel has ended, and the session says: tell the client, start the next one;
   * 2. the transport closes while it tells, and the session says: stop the next one, which is not there;
   * 3. the next one starts, and nobody ever ends it.
   *
   * One channel at a time is at work, for one that ends may end another. Frames do not wait for that, if nothing else is due
   * before them: what a client leaves unread is counted in the transport.
   */
  #carryOut(): void {
    for (;;) {
      const [next] = this.#due;
      if (next === undefined || (next.kind !== "frame" && this.#isAtWork)) return;
      this.#due.shift();
      if (next.kind !== "frame") this.#work(next);
      else if (!this.#isClosed) this.#transport.send(next.frame);
    }
  }

  #work(effect: Exclude<Due, { readonly kind: "frame" }>): void {
    this.#isAtWork = true;
    try {
      switch (effect.kind) {
        case "start":
          this.#start(effect);
          break;
        case "handle":
          this.#handle(effect);
          break;
        case "stop":
          this.#runners.get(effect.channel)?.stop(effect.reason);
          break;
      }
    } finally {
      this.#isAtWork = false;
    }
  }

  #handle({ channel, event, payload, ref }: Extract<SessionEffect, { kind: "handle" }>): void {
    const runner = this.#runners.get(channel);
    if (runner === undefined) return;
    this.#count(1);
    runner.handle(event, payload, ref);
  }

  #start({ channel: id, joinRef, ref, topic, payload }: Extract<SessionEffect, { kind: "start" }>): void {
    if (this.#isClosed) {
      // Nobody is there to be let in, and the session waits for its end.
      this.#step({ kind: "ended", channel: id, crashed: false });
      return;
    }
    const channel = this.#services.routes.find(topic);
    if (channel === undefined) throw new Error(`a topic without a channel was let through: ${topic}`);
    const port = {
      admitted: (response: unknown) => this.#step({ kind: "admitted", channel: id, response }),
      refused: (response: unknown) => {
        // Afterwards the session knows nobody any more who could be told that it cannot be said.
        const { outboundBytes } = this.#services.limits;
        encodeWithin(outboundBytes, { kind: "reply", joinRef, ref, topic, status: "error", response });
        this.#step({ kind: "refused", channel: id, response });
      },
      answered: (ref: string | null, status: string, response: unknown) =>
        this.#step({ kind: "answered", channel: id, ref, status, response }),
      pushed: (event: string, pushed: unknown) =>
        this.#step({ kind: "pushed", channel: id, event, payload: pushed }),
      deliver: (frame: Frame) => this.#deliver(frame),
      handled: () => this.#count(-1),
      ended: (crashed: boolean) => {
        if (crashed) this.#services.counts.crashes += 1;
        this.#runners.delete(id);
        this.#step({ kind: "ended", channel: id, crashed });
        if (this.#isClosed && this.#runners.size === 0) this.#ended();
      },
      nodeStopped: () => this.#transport.close("restart"),
    };
    let runner: ChannelRunner;
    try {
      runner = new ChannelRunner(this.#services, port, {
        channel,
        topic,
        payload,
        assigns: { ...this.#assigns },
      });
    } catch (error) {
      this.#services.logger.error({ topic, error }, "a channel could not be started");
      port.refused({ reason: "join crashed" });
      return;
    }
    this.#runners.set(id, runner);
    runner.begin();
  }

  #count(change: 1 | -1): void {
    this.#events += change;
    const { inboundMessages } = this.#services.limits;
    if (!this.#isPaused && this.#events >= inboundMessages) {
      this.#isPaused = true;
      this.#transport.pause();
    } else if (this.#isPaused && this.#events <= inboundMessages / 2) {
      this.#isPaused = false;
      this.#transport.resume();
    }
  }
}
