import { type Channel, LongPoll, Presence, Socket, type SocketConnectOption } from "phoenix";
import { WebSocket } from "ws";

export type PhoenixTransport = "websocket" | "longpoll";

/** What a push came to. */
export interface Outcome {
  readonly status: string;
  readonly response: unknown;
}

/** As much of the client's own `Push` as its types leave out. */
interface AnyPush {
  receive(status: string, callback: (response: unknown) => void): AnyPush;
}

/** The official client, as an application would use it. */
export class PhoenixClient implements Disposable {
  readonly socket: Socket;
  /** Of its connections: how they were closed. */
  readonly closed: { readonly code: number; readonly reason: string }[] = [];
  opened = 0;

  constructor(url: string, transport: PhoenixTransport, options: Partial<SocketConnectOption> = {}) {
    this.socket = new Socket(url, {
      transport: (transport === "websocket" ? WebSocket : LongPoll) as SocketConnectOption["transport"],
      // As by default, only sooner.
      rejoinAfterMs: () => 30,
      reconnectAfterMs: () => 30,
      ...options,
    });
    this.socket.onOpen(() => {
      this.opened += 1;
    });
    this.socket.onClose((event) => {
      const { code, reason } = event as unknown as { readonly code: number; readonly reason: string };
      this.closed.push({ code, reason });
    });
    this.socket.connect();
  }

  join(topic: string, params: object = {}): Promise<JoinedChannel> {
    return new JoinedChannel(this.socket.channel(topic, params)).whenJoined();
  }

  [Symbol.dispose](): void {
    this.socket.disconnect();
  }
}

/** A channel of the client, and all that it was told. */
export class JoinedChannel {
  readonly channel: Channel;
  readonly events: { readonly event: string; readonly payload: unknown }[] = [];
  /** How often it was let in. */
  joins = 0;
  errors = 0;
  closes = 0;

  constructor(channel: Channel) {
    this.channel = channel;
    for (const event of ["shouted", "pushed", "info", "said"])
      channel.on(event, (payload: unknown) => void this.events.push({ event, payload }));
    channel.onError(() => {
      this.errors += 1;
    });
    channel.onClose(() => {
      this.closes += 1;
    });
  }

  /** Rejects with what it was refused with. */
  whenJoined(): Promise<this> {
    return new Promise((resolve, reject) => {
      const push = this.channel.join() as unknown as AnyPush;
      push
        .receive("ok", () => {
          this.joins += 1;
          resolve(this);
        })
        .receive("error", (response) => reject(new Error(JSON.stringify(response))));
    });
  }

  push(event: string, payload: object = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      const push = this.channel.push(event, payload) as unknown as AnyPush;
      for (const status of ["ok", "error", "teapot", "timeout"])
        push.receive(status, (response) => resolve({ status, response }));
    });
  }

  leave(): Promise<void> {
    return new Promise((resolve) => {
      (this.channel.leave() as unknown as AnyPush).receive("ok", () => resolve());
    });
  }
}

/** Who is there, as the client sees it: key by key, what the field `as` of its metas says. */
export class PresenceView {
  readonly log: string[] = [];
  readonly #presence: Presence;

  constructor(channel: Channel) {
    this.#presence = new Presence(channel);
    this.#presence.onJoin((key = "", current) =>
      this.log.push(current === undefined ? `${key} came` : `${key} came again`),
    );
    this.#presence.onLeave((key = "", current: { readonly metas: readonly object[] }) =>
      this.log.push(current.metas.length === 0 ? `${key} left` : `${key} left once`),
    );
  }

  get shown(): Record<string, unknown[]> {
    const entries = this.#presence.list(
      (key, { metas }: { readonly metas: readonly { readonly as?: unknown }[] }) =>
        [key, metas.map((meta) => meta.as)] as const,
    );
    return Object.fromEntries(entries);
  }
}
