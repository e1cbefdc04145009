import type { ClientMessage, Ref, ServerMessage } from "./messages.ts";
import { HEARTBEAT_TOPIC } from "./routes.ts";

/** Which channel of a session: never used twice. */
export type ChannelId = number;

/** Why a channel is to end. */
export type StopReason = "left" | "rejoined" | "closed";

export type SessionInput =
  | { readonly kind: "received"; readonly message: ClientMessage }
  /** The channel let the client in. */
  | { readonly kind: "admitted"; readonly channel: ChannelId; readonly response: unknown }
  | { readonly kind: "refused"; readonly channel: ChannelId; readonly response: unknown }
  | {
      readonly kind: "answered";
      readonly channel: ChannelId;
      readonly ref: Ref;
      readonly status: string;
      readonly response: unknown;
    }
  | {
      readonly kind: "pushed";
      readonly channel: ChannelId;
      readonly event: string;
      readonly payload: unknown;
    }
  /** The channel is not there any more, for whatever reason. */
  | { readonly kind: "ended"; readonly channel: ChannelId; readonly crashed: boolean }
  /** The client is gone. */
  | { readonly kind: "closed" };

export type SessionEffect =
  | { readonly kind: "send"; readonly message: ServerMessage }
  | {
      readonly kind: "start";
      readonly channel: ChannelId;
      readonly topic: string;
      readonly joinRef: Ref;
      /** Of the join: what it is answered names it. */
      readonly ref: Ref;
      readonly payload: unknown;
    }
  | {
      readonly kind: "handle";
      readonly channel: ChannelId;
      readonly event: string;
      readonly payload: unknown;
      readonly ref: Ref;
    }
  /** It is to finish what it was given before, and then to end. */
  | { readonly kind: "stop"; readonly channel: ChannelId; readonly reason: StopReason };

interface Joined {
  readonly id: ChannelId;
  readonly topic: string;
  readonly joinRef: Ref;
  /** Of the join itself. */
  readonly ref: Ref;
  phase: "joining" | "joined" | "ending";
  /** Pushed while it was joining: a client that is refused must not see it. */
  held: ServerMessage[];
  /** Undefined: no leave waits for the end. */
  leaveRef: Ref | undefined;
  /** A join that waits for the end of this one, so that a topic has never two channels of one client. */
  successor: ClientMessage | undefined;
}

export interface SessionRules {
  readonly channels: number;
  isRoutable(topic: string): boolean;
}

/** What one client has joined, and what it is told of that: the rules of the protocol, without sockets and without processes. */
export class Session {
  readonly #rules: SessionRules;
  readonly #byTopic = new Map<string, Joined>();
  readonly #byId = new Map<ChannelId, Joined>();
  #lastId: ChannelId = 0;
  #isClosed = false;

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  get channels(): number {
    return this.#byId.size;
  }

  step(input: SessionInput): readonly SessionEffect[] {
    switch (input.kind) {
      case "received":
        return this.#isClosed ? [] : this.#received(input.message);
      case "closed":
        return this.#closed();
      case "ended":
        return this.#sending(this.#ended(input.channel, input.crashed));
      case "admitted":
        return this.#sending(this.#admitted(input.channel, input.response));
      case "refused":
        return this.#sending(this.#refused(input.channel, input.response));
      case "answered":
        return this.#sending(this.#answered(input));
      case "pushed":
        return this.#sending(this.#pushed(input));
    }
  }

  #received(message: ClientMessage): readonly SessionEffect[] {
    const { event, topic } = message;
    if (topic === HEARTBEAT_TOPIC && event === "heartbeat")
      return [send({ ...reply(message, "ok", {}), joinRef: null })];
    switch (event) {
      case "phx_join":
        return this.#join(message);
      case "phx_leave":
        return this.#leave(message);
      default:
        return this.#other(message);
    }
  }

  #join(message: ClientMessage): readonly SessionEffect[] {
    if (!this.#rules.isRoutable(message.topic)) return [send(unmatched(message))];
    const present = this.#byTopic.get(message.topic);
    if (present === undefined) {
      if (this.#byId.size >= this.#rules.channels)
        return [send(reply(message, "error", { reason: "too many channels joined" }))];
      return [this.#start(message)];
    }
    const { successor } = present;
    present.successor = message;
    // One that waited, and is not to come any more.
    if (successor !== undefined) return [send(closed(successor))];
    if (present.phase === "ending") return [];
    present.phase = "ending";
    return [send(closed(present)), { kind: "stop", channel: present.id, reason: "rejoined" }];
  }

  #start({ joinRef, topic, payload, ref }: ClientMessage): SessionEffect {
    this.#lastId += 1;
    const joined: Joined = {
      id: this.#lastId,
      topic,
      joinRef,
      ref,
      phase: "joining",
      held: [],
      leaveRef: undefined,
      successor: undefined,
    };
    this.#byTopic.set(topic, joined);
    this.#byId.set(joined.id, joined);
    return { kind: "start", channel: joined.id, topic, joinRef, ref, payload };
  }

  #leave(message: ClientMessage): readonly SessionEffect[] {
    const present = this.#byTopic.get(message.topic);
    const { successor } = present ?? {};
    if (present === undefined) return [send(reply(message, "ok", {}))];
    if (successor !== undefined && isOf(message, successor)) {
      present.successor = undefined;
      return [send(reply(message, "ok", {})), send(closed(successor))];
    }
    if (!isOf(message, present)) return [];
    if (present.phase === "ending") return [send(reply(message, "ok", {}))];
    present.phase = "ending";
    present.leaveRef = message.ref;
    return [{ kind: "stop", channel: present.id, reason: "left" }];
  }

  #other(message: ClientMessage): readonly SessionEffect[] {
    const present = this.#byTopic.get(message.topic);
    if (present === undefined) return [send(unmatched(message))];
    if (!isOf(message, present.successor ?? present)) return [];
    if (present.phase === "ending") return [send(unmatched(message))];
    const { event, payload, ref } = message;
    return [{ kind: "handle", channel: present.id, event, payload, ref }];
  }

  #admitted(channel: ChannelId, response: unknown): readonly SessionEffect[] {
    const joined = this.#byId.get(channel);
    if (joined?.phase !== "joining") return [];
    joined.phase = "joined";
    const { held } = joined;
    joined.held = [];
    return [send(reply(joined, "ok", response)), ...held.map(send)];
  }

  #refused(channel: ChannelId, response: unknown): readonly SessionEffect[] {
    const joined = this.#byId.get(channel);
    if (joined?.phase !== "joining") return [];
    const refusal = send(reply(joined, "error", response));
    this.#remove(joined);
    return [refusal];
  }

  #ended(channel: ChannelId, crashed: boolean): readonly SessionEffect[] {
    const joined = this.#byId.get(channel);
    if (joined === undefined) return [];
    this.#remove(joined);
    const effects = this.#farewell(joined, crashed);
    const { successor } = joined;
    return successor === undefined || this.#isClosed ? effects : [...effects, this.#start(successor)];
  }

  #farewell(joined: Joined, crashed: boolean): readonly SessionEffect[] {
    const { joinRef, leaveRef, phase, topic } = joined;
    if (leaveRef !== undefined) {
      const left: ServerMessage = {
        kind: "reply",
        joinRef,
        ref: leaveRef,
        topic,
        status: "ok",
        response: {},
      };
      return [send(left), send(closed(joined))];
    }
    // Told when the next join came.
    if (phase === "ending") return [];
    return [send(crashed ? { kind: "crashed", joinRef, topic } : closed(joined))];
  }

  #answered({ channel, ref, status, response }: Extract<SessionInput, { kind: "answered" }>) {
    const joined = this.#byId.get(channel);
    if (joined === undefined) return [];
    const { joinRef, topic } = joined;
    return [send({ kind: "reply", joinRef, ref, topic, status, response })];
  }

  #pushed({ channel, event, payload }: Extract<SessionInput, { kind: "pushed" }>) {
    const joined = this.#byId.get(channel);
    if (joined === undefined) return [];
    const { joinRef, phase, topic } = joined;
    const message: ServerMessage = { kind: "push", joinRef, topic, event, payload };
    if (phase !== "joining") return [send(message)];
    joined.held.push(message);
    return [];
  }

  #closed(): readonly SessionEffect[] {
    this.#isClosed = true;
    const open = [...this.#byId.values()];
    const ending = open.filter(({ phase }) => phase === "ending");
    for (const joined of open) joined.phase = "ending";
    return open
      .filter((joined) => !ending.includes(joined))
      .map(({ id }) => ({ kind: "stop", channel: id, reason: "closed" }));
  }

  #remove({ id, topic }: Joined): void {
    this.#byId.delete(id);
    this.#byTopic.delete(topic);
  }

  /** Nobody is there who could read it. */
  #sending(effects: readonly SessionEffect[]): readonly SessionEffect[] {
    return this.#isClosed ? effects.filter(({ kind }) => kind !== "send") : effects;
  }
}

function send(message: ServerMessage): SessionEffect {
  return { kind: "send", message };
}

function reply(
  { joinRef, ref, topic }: Omit<ClientMessage, "event" | "payload">,
  status: string,
  response: unknown,
) {
  return { kind: "reply", joinRef, ref, topic, status, response } as const;
}

function unmatched(message: ClientMessage): ServerMessage {
  return reply(message, "error", { reason: "unmatched topic" });
}

function closed({ joinRef, topic }: Pick<Joined, "joinRef" | "topic">): ServerMessage {
  return { kind: "closed", joinRef, topic };
}

/** One that names another join is late: meant for a channel that is not there any more. */
function isOf(message: ClientMessage, join: { readonly joinRef: Ref }): boolean {
  return message.joinRef === null || message.joinRef === join.joinRef;
}
