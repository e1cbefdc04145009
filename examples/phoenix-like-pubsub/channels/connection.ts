import { ChannelRunner, type ChannelServices } from "./channel-runner.ts";
import type { Frame } from "./messages.ts";
import type { Routes } from "./routes.ts";
import { type ChannelId, Session, type SessionEffect, type SessionInput } from "./session.ts";
import type { Assigns, Channel } from "./types.ts";
import { decodeBinary, decodeText, encode, MalformedFrameError } from "./wire.ts";

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

  #step(input: SessionInput): void {
    const before = this.#session.channels;
    const effects = this.#session.step(input);
    this.#services.counts.channels += this.#session.channels - before;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: SessionEffect): void {
    switch (effect.kind) {
      case "send":
        this.#send(encode(effect.message), effect);
        break;
      case "start":
        this.#start(effect);
        break;
      case "handle":
        this.#count(1);
        this.#runners.get(effect.channel)?.handle(effect.event, effect.payload, effect.ref);
        break;
      case "stop":
        this.#runners.get(effect.channel)?.stop(effect.reason);
        break;
    }
  }

  #send(frame: Frame, { message }: Extract<SessionEffect, { kind: "send" }>): void {
    if (this.#isClosed) return;
    if (typeof frame === "string" || this.#transport.takesBytes) {
      this.#transport.send(frame);
      return;
    }
    this.#services.counts.binaryDropped += 1;
    if (message.kind !== "reply") return;
    // Else whoever asked would wait until it gives up.
    const response = { reason: "bytes cannot be sent by long polling" };
    this.#transport.send(encode({ ...message, status: "error", response }));
  }

  #deliver(frame: Frame): void {
    if (this.#isClosed) return;
    if (typeof frame === "string" || this.#transport.takesBytes) this.#transport.send(frame);
    else this.#services.counts.binaryDropped += 1;
  }

  #start({ channel: id, topic, payload }: Extract<SessionEffect, { kind: "start" }>): void {
    const channel = this.#services.routes.find(topic);
    if (channel === undefined) throw new Error(`a topic without a channel was let through: ${topic}`);
    const port = {
      admitted: (response: unknown) => this.#step({ kind: "admitted", channel: id, response }),
      refused: (response: unknown) => this.#step({ kind: "refused", channel: id, response }),
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
