import type { LeaseEffect } from "../../lease/quorum/types.ts";
import { type LeaseReply, type LeaseRequest, ownerOf } from "../../lease/requests.ts";
import type { LaneState } from "../lanes.ts";
import type { Tell } from "../machine/telling.ts";
import type { SimLeaseNode } from "./node.ts";
import type { LeaseFault, LeaseOperation } from "./plan.ts";

/** Lanes of servers stand to the right of those of nodes. */
const FIRST_SERVER = 100;

export function placeOfServer(server: number): number {
  return FIRST_SERVER + server;
}

export function headOf(place: number): string {
  return place < FIRST_SERVER ? `n${place}` : `s${place - FIRST_SERVER}`;
}

/** Makes of what happens in a world of leases lines for a reader. */
export class LeaseTeller {
  readonly #tell: Tell;
  readonly #nowMs: () => number;
  readonly #ready = new Map<number, boolean>();

  constructor(tell: Tell, nowMs: () => number) {
    this.#tell = tell;
    this.#nowMs = nowMs;
  }

  /** @param kind as of a `TraceLine` */
  line(place: number, kind: string, text: string, about: readonly string[] = [], lane?: LaneState): void {
    this.#tell({ atMs: this.#nowMs(), place, kind, text, about, lane });
  }

  started(node: SimLeaseNode): void {
    this.line(node.place, "start", `${node.owner} starts`, [], "up");
  }

  serverStarted(server: number): void {
    this.line(placeOfServer(server), "start", `s${server} starts`, [], "up");
  }

  connection(node: SimLeaseNode, server: number, isUp: boolean): void {
    this.line(node.place, "connection", `${isUp ? "connected to" : "disconnected from"} s${server}`);
  }

  /** It has answered something. */
  server(server: number, isReady: boolean): void {
    if (this.#ready.get(server) === isReady) return;
    this.#ready.set(server, isReady);
    const text = isReady ? "takes part" : "keeps out: it may have forgotten";
    this.line(placeOfServer(server), "server", text, [], isReady ? "up" : "offline");
  }

  request(node: SimLeaseNode, server: number, request: LeaseRequest, how: "arrives" | "late" | "lost"): void {
    const text = `${wordsOfRequest(request)}${how === "late" ? ", of an earlier connection" : ""}`;
    this.#message(node.place, placeOfServer(server), text, namesIn(request), how !== "lost");
  }

  reply(
    node: SimLeaseNode,
    server: number,
    request: LeaseRequest,
    reply: LeaseReply,
    how: "arrives" | "lost",
  ): void {
    const text = wordsOfReply(request, reply);
    this.#message(placeOfServer(server), node.place, text, namesIn(request), how !== "lost");
  }

  message(from: SimLeaseNode, to: SimLeaseNode, text: string, about: string, isHeard: boolean): void {
    this.#message(from.place, to.place, text, [about], isHeard);
  }

  #message(from: number, place: number, text: string, about: readonly string[], isHeard: boolean): void {
    this.#tell({ atMs: this.#nowMs(), place, from, kind: isHeard ? "receive" : "lost", text, about });
  }
}

function namesIn(request: LeaseRequest): readonly string[] {
  if (request.kind === "read") return request.names;
  return "items" in request ? request.items.map(({ name }) => name) : [];
}

function wordsOfRequest(request: LeaseRequest): string {
  switch (request.kind) {
    case "recover":
      return `${request.first ? "first use" : "recover"}: tokens above ${request.floor}`;
    case "acquire":
    case "release":
      return `${request.kind} ${request.items.map(({ name, claim }) => `${name} (claim ${claim})`).join(", ")}`;
    case "confirm":
    case "attach":
      return `${request.kind} ${request.items.map(({ name, claim, token }) => `${name} ${token} (claim ${claim})`).join(", ")}`;
    case "read":
      return `read ${request.names.join(", ")}`;
    default:
      return request.kind;
  }
}

function wordsOfReply(request: LeaseRequest, reply: LeaseReply): string {
  switch (reply.kind) {
    case "guarded":
      return `keeps out for ${Math.ceil(reply.waitMs)} ms${reply.needsFloor ? ", needs a floor" : ""}`;
    case "ready":
      return `highest token ${reply.maxToken}`;
    case "acquired":
    case "confirmed":
    case "released":
    case "read":
      return namesIn(request)
        .map((name, index) => `${name}: ${wordsOfItem(reply.items[index])}`)
        .join(", ");
    default:
      return reply.kind;
  }
}

type Item = Extract<LeaseReply, { readonly items: readonly unknown[] }>["items"][number];

function wordsOfItem(item: Item | undefined): string {
  if (item === undefined) return "no answer";
  if ("next" in item && item.next !== undefined) return `next is ${ownerOf(item.next)}`;
  if (!("kind" in item)) return "released";
  if ("vote" in item) return `of ${ownerOf(item.vote.session)} with ${item.vote.token}`;
  return "token" in item ? `${item.kind} ${item.token}` : item.kind;
}

export function wordsOfLeaseOperation(operation: LeaseOperation): string {
  const { kind, name } = operation;
  return kind === "acquire" && operation.wait ? `acquire ${name}, waiting for it` : `${kind} ${name}`;
}

/** Undefined: it shows where it arrives. */
export function wordsOfLeaseEffect(effect: LeaseEffect, name: string): string | undefined {
  switch (effect.kind) {
    case "send":
    case "ask":
    case "passOn":
      return undefined;
    case "granted":
      return `granted ${name} with ${effect.token} (claim ${effect.claim})`;
    case "lost":
      return `lost ${name} with ${effect.token} (claim ${effect.claim})`;
    case "refused":
      return `refused ${name}: ${effect.refusal.kind}`;
    case "found":
      return effect.holder === undefined
        ? `found that ${name} is free`
        : `found that ${ownerOf(effect.holder.session)} holds ${name} with ${effect.holder.token}`;
    case "released":
      return effect.confirmed ? "released" : "released, and not confirmed";
    case "warning":
      return effect.message;
  }
}

/** What goes wrong. */
export function wordsOfLeaseFault(fault: LeaseFault): string {
  const { forMs, kind } = fault;
  const lasts = forMs > 0 ? `, for ${forMs} ms` : "";
  switch (kind) {
    case "cut":
    case "mute":
    case "late":
      return `${kind} n${fault.node} – s${fault.server}${lasts}`;
    case "break":
      return `break n${fault.node} – s${fault.server}`;
    case "slow":
      return `slow n${fault.node} – s${fault.server}, by ${fault.byMs} ms${lasts}`;
    case "deaf":
      return `deaf n${fault.node} – n${fault.other}${lasts}`;
    case "crash":
      return "crash";
    case "restart":
      return fault.data === "wiped" ? "wiped" : `restart, data ${fault.data}`;
    case "serverStep":
    case "step":
      return `calendar steps by ${fault.byMs} ms`;
    case "drift":
      return `clock runs at ${fault.rate}`;
    case "pause":
    case "suspend":
    case "serverPause":
      return `${kind}${lasts}`;
  }
}

/** Which lane it is shown on. */
export function placeOfFault(fault: LeaseFault): number {
  return "node" in fault ? fault.node : placeOfServer(fault.server);
}
