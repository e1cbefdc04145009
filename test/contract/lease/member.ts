import {
  type AcquireResult,
  type LeaseReply,
  type LeaseRequest,
  makeSessionId,
  type ReadResult,
  type SessionId,
} from "../../../src/lease/requests.ts";
import type { LeasePeer } from "../../support/lease-peer.ts";

type Session = "renew" | "acquire" | "confirm" | "attach" | "release" | "close" | "open";
type Part<K extends Session> = Omit<Extract<LeaseRequest, { kind: K }>, "kind" | "session" | "connection">;

export const VALUE = Uint8Array.of(1, 2, 3);

/** One session on one server, in words. */
export class Member {
  readonly peer: LeasePeer;
  readonly id: SessionId;
  readonly server: number;
  connection = 1;
  #claim = 0;

  constructor(peer: LeasePeer, server: number, id = makeSessionId(peer.name, 1)) {
    this.peer = peer;
    this.server = server;
    this.id = id;
  }

  ask<K extends Session>(kind: K, rest: Part<K>, connection = this.connection): Promise<LeaseReply> {
    const request = { kind, session: this.id, connection, ...rest } as unknown as LeaseRequest;
    return this.peer.ask(this.server, request);
  }

  open(): Promise<LeaseReply> {
    return this.ask("open", {});
  }

  renew(): Promise<LeaseReply> {
    return this.ask("renew", {});
  }

  nextClaim(): number {
    this.#claim += 1;
    return this.#claim;
  }

  async acquire(
    name: string,
    { claim = 1, proposal = 1, ticket, value = VALUE }: Partial<AcquireOptions> = {},
  ): Promise<AcquireResult> {
    const reply = await this.ask("acquire", { items: [{ name, claim, proposal, value, ticket }] });
    return only(reply, "acquired");
  }

  /** @returns the token */
  async take(name: string, options: Partial<AcquireOptions> = {}): Promise<number> {
    const result = await this.acquire(name, options);
    if (result.kind !== "granted") throw new Error(`${name} was not granted, but ${result.kind}`);
    return result.token;
  }

  async confirm(name: string, token: number, kind: "confirm" | "attach" = "confirm", claim = 1) {
    const reply = await this.ask(kind, { items: [{ name, claim, token, value: VALUE }] });
    return only<"confirmed">(reply, "confirmed").kind;
  }

  async release(name: string, { claim = 1, leave = true } = {}): Promise<SessionId | undefined> {
    const reply = await this.ask("release", { items: [{ name, claim, leave }] });
    return only<"released">(reply, "released").next;
  }

  async read(name: string): Promise<ReadResult> {
    return only<"read">(await this.peer.ask(this.server, { kind: "read", names: [name] }), "read");
  }
}

interface AcquireOptions {
  readonly claim: number;
  readonly proposal: number;
  readonly ticket: number | undefined;
  readonly value: Uint8Array;
}

type WithItems = Extract<LeaseReply, { readonly items: readonly unknown[] }>;

export function only<K extends WithItems["kind"]>(
  reply: LeaseReply,
  kind: K,
): Extract<WithItems, { readonly kind: K }>["items"][number] {
  if (reply.kind !== kind || !("items" in reply) || reply.items.length !== 1) {
    throw new Error(`answered ${JSON.stringify(reply)}, not ${kind} with one item`);
  }
  return (reply as Extract<WithItems, { readonly kind: K }>).items[0] as never;
}
