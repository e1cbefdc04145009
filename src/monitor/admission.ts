import { type NodeId, nameOfNode } from "../kernel/ids.ts";
import type { Discovery } from "./discovery.ts";
import { Handshake } from "./handshake.ts";
import type { MembershipCounts, VersionRange } from "./membership-types.ts";
import { judgeNamesake } from "./namesakes.ts";
import type { Outlet } from "./outlet.ts";
import type { Peer } from "./peer.ts";
import type { Peers } from "./peers.ts";
import type { Hello, MembershipMessage } from "./protocol.ts";

/** What a node says of itself in every hello. */
export type SelfDescription = Pick<Hello, "serverId" | "replaces" | "scopes" | "scopesRevision" | "beatMs">;

export interface AdmissionPort {
  describeSelf(): SelfDescription;
  /** Whether this node reckons with having been given up, and replaced. */
  isBackFromAway(nowMs: number): boolean;
  /** It echoed a nonce: it is up. */
  admit(node: NodeId, hello: Hello, version: number, nowMs: number): void;
  /** A peer told of itself anew. */
  refresh(peer: Peer, hello: Hello): void;
  /** This node must close in favour of another one of its name. */
  yieldTo(other: NodeId): void;
}

/** The parts of a hello that differ from one to the next. */
type Greeting = Partial<Pick<Hello, "nonce" | "echo" | "wantReply" | "anew">>;

/** Who comes up here, and how this node comes up at others: everything about hellos. */
export class Admission {
  readonly #self: NodeId;
  readonly #name: string;
  readonly #versions: VersionRange;
  readonly #peers: Peers;
  readonly #discovery: Discovery;
  readonly #outlet: Outlet;
  readonly #counts: MembershipCounts;
  readonly #port: AdmissionPort;
  readonly #handshake = new Handshake();

  constructor(
    self: NodeId,
    versions: VersionRange,
    shared: { peers: Peers; discovery: Discovery; outlet: Outlet; counts: MembershipCounts },
    port: AdmissionPort,
  ) {
    this.#self = self;
    this.#name = nameOfNode(self);
    this.#versions = versions;
    this.#peers = shared.peers;
    this.#discovery = shared.discovery;
    this.#outlet = shared.outlet;
    this.#counts = shared.counts;
    this.#port = port;
  }

  get dueMs(): number {
    return this.#handshake.dueMs;
  }

  get strangers(): number {
    return this.#handshake.strangers;
  }

  get lastNonce(): number {
    return this.#handshake.lastNonce;
  }

  /** Whether somebody first heard by then may still come up. */
  isAnyOpen(firstHeardByMs: number, nowMs: number): boolean {
    return this.#handshake.isAnyOpen(firstHeardByMs, nowMs);
  }

  /** What proves that a peer was there before now proves nothing from now on. */
  renounce(): void {
    this.#handshake.renounce();
  }

  /** @param repeats nothing has happened since the last one: it is said again in case it was lost */
  greetAll(nowMs: number, repeats: boolean): void {
    const nonce = this.#handshake.broadcastNonce(nowMs, repeats);
    this.#counts.hellos += 1;
    this.#outlet.broadcast(this.#makeHello({ nonce, wantReply: true }));
  }

  challengeDue(nowMs: number): void {
    for (const node of this.#handshake.takeDue(nowMs)) this.#challenge(node, nowMs);
  }

  /** A frame came from an incarnation that is not up. */
  heard(from: NodeId, nowMs: number): void {
    if (this.#peers.isWelcome(from) && !this.#handshake.heard(from, nowMs))
      this.#counts.strangersRefused += 1;
  }

  /** An incarnation that is not up says that it ends: what of it is under way must not be taken for a newcomer. */
  goodbye(from: NodeId): void {
    this.#handshake.forget(from);
    this.#peers.bury(from, "left", this.lastNonce);
  }

  /** Asks a peer what it says of itself now. */
  inquire(peer: Peer): void {
    this.#sendHello(peer.id, { wantReply: true });
  }

  hello(from: NodeId, hello: Hello, nowMs: number): void {
    const peer = this.#peers.get(from);
    if (nameOfNode(from) === this.#name) {
      this.#helloFromNamesake(from, hello, nowMs);
    } else if (peer !== undefined) {
      this.#helloFromPeer(peer, hello);
    } else if (this.#peers.isWelcome(from)) {
      this.#helloFromStranger(from, hello, nowMs);
    }
  }

  duplicate(from: NodeId, message: Extract<MembershipMessage, { kind: "duplicate" }>, nowMs: number): void {
    // Only an earlier one of our name may say so, and only in answer to what we said just now.
    if (nameOfNode(from) !== this.#name || from >= this.#self) return;
    if (this.#isProven(from, message.echo, nowMs)) this.#port.yieldTo(from);
    else this.#challengeUnlessLately(from, nowMs);
  }

  #helloFromStranger(from: NodeId, hello: Hello, nowMs: number): void {
    const version = Math.min(this.#versions.max, hello.maxVersion);
    if (version < Math.max(this.#versions.min, hello.minVersion)) {
      this.#refuse(from, hello, nowMs);
    } else if (this.#isProven(from, hello.echo, nowMs)) {
      // Before anything that the upper layers send to it: it lets nothing in until it has seen this.
      if (hello.wantReply) this.#sendHello(from, { echo: hello.nonce });
      this.#handshake.forget(from);
      this.#port.admit(from, hello, version, nowMs);
    } else if (hello.wantReply) {
      this.#challenge(from, nowMs, hello.nonce);
    } else {
      this.#challengeUnlessLately(from, nowMs);
    }
  }

  /**
   * A peer that says hello has just started or reconnected (a hello to all, which needs no answer: if this node is not up
   * there, that peer will challenge it), or wants to know our scopes, or lost this node and has it back now:
   *
   * 1. n1 → all: hello. 2. n2 → n1: hello, with an echo; n2 is up at n1, which starts to hand over. 3. n1 → n2: hello, with an
   * echo: lost. 4. All that n1 hands over is dropped by n2, where n1 is not up. 5. n2 → n1: hello, anew. The echo that n1
   * answers with brings it up there, but what n1 handed over before is lost, and only n1 can know.
   */
  #helloFromPeer(peer: Peer, hello: Hello): void {
    this.#port.refresh(peer, hello);
    const isToAll = hello.nonce !== 0 && !hello.anew;
    if (!hello.wantReply || isToAll) return;
    this.#sendHello(peer.id, { echo: hello.nonce });
    if (!hello.anew) return;
    this.#counts.rejoins += 1;
    this.#outlet.emit({ kind: "rejoined", node: peer.id });
  }

  #helloFromNamesake(from: NodeId, hello: Hello, nowMs: number): void {
    if (!this.#peers.isWelcome(from)) return;
    const proven = this.#isProven(from, hello.echo, nowMs);
    switch (judgeNamesake(this.#self, from, hello, this.#port.isBackFromAway(nowMs), proven)) {
      case "greet":
        if (hello.wantReply) this.#challenge(from, nowMs, hello.nonce);
        else this.#challengeUnlessLately(from, nowMs);
        break;
      case "dismiss":
        this.#outlet.send(from, { kind: "duplicate", echo: hello.nonce });
        break;
      case "yield":
        this.#port.yieldTo(from);
        break;
    }
  }

  /** The answer lets the other side find out too: it may be the one that starts, and has to say why it cannot. */
  #refuse(from: NodeId, hello: Hello, nowMs: number): void {
    const isNew = this.#handshake.refuse(from, nowMs);
    this.#discovery.metIncompatible(from, [hello.minVersion, hello.maxVersion]);
    if (hello.wantReply) this.#sendHello(from, { echo: hello.nonce });
    if (!isNew) return;
    this.#counts.incompatible += 1;
    const theirs = `${hello.minVersion} to ${hello.maxVersion}`;
    const message = "a node speaks no protocol version of ours, and is ignored";
    this.#outlet.emit({ kind: "log", level: "warn", message, details: { node: from, theirs } });
  }

  #isProven(node: NodeId, echo: number, nowMs: number): boolean {
    return this.#handshake.accepts(node, echo, this.#peers.nonceFloor(node), nowMs);
  }

  #challengeUnlessLately(node: NodeId, nowMs: number): void {
    if (!this.#handshake.challengedLately(node, nowMs)) this.#challenge(node, nowMs);
  }

  #challenge(node: NodeId, nowMs: number, echo = 0): void {
    if (!this.#peers.isWelcome(node)) {
      this.#handshake.forget(node);
      return;
    }
    const nonce = this.#handshake.challenge(node, nowMs);
    if (nonce === 0 && echo === 0) return;
    this.#counts.challenges += 1;
    this.#sendHello(node, { nonce, echo, wantReply: nonce !== 0, anew: nonce !== 0 });
  }

  #sendHello(to: NodeId, greeting: Greeting): void {
    this.#counts.hellos += 1;
    this.#outlet.send(to, this.#makeHello(greeting));
  }

  #makeHello(greeting: Greeting): Hello {
    return {
      kind: "hello",
      nonce: greeting.nonce ?? 0,
      echo: greeting.echo ?? 0,
      wantReply: greeting.wantReply ?? false,
      minVersion: this.#versions.min,
      maxVersion: this.#versions.max,
      anew: greeting.anew ?? false,
      ...this.#port.describeSelf(),
    };
  }
}
