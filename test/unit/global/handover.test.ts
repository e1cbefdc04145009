import { beforeEach, describe, expect, test } from "vitest";
import { Handover } from "../../../src/global/handover.ts";
import type { HandoverMessage } from "../../../src/global/messages.ts";
import type { NodeId } from "../../../src/kernel/ids.ts";
import { nodeNamed } from "./entries.ts";

const [self, a, b] = [nodeNamed("s"), nodeNamed("a"), nodeNamed("b")];
const NONE: ReadonlySet<NodeId> = new Set();
const scope = "default";

describe("the hand-over of arbitration", () => {
  let sent: [NodeId, HandoverMessage][];
  let positions: Map<NodeId, number>;
  let suspects: Set<NodeId>;
  let gone: Set<NodeId>;
  let oldestOpenView: number;
  let handover: Handover;

  beforeEach(() => {
    sent = [];
    positions = new Map();
    suspects = new Set();
    gone = new Set();
    oldestOpenView = Number.POSITIVE_INFINITY;
    handover = new Handover({
      self,
      scope,
      send: (to, message) => sent.push([to, message]),
      isSuspect: (node) => suspects.has(node),
      isGone: (node) => gone.has(node),
      positionOf: (owner) => positions.get(owner) ?? 0,
      isSynced: () => true,
      oldestOpenView: () => oldestOpenView,
    });
  });

  function saidTo(node: NodeId, kind: HandoverMessage["kind"]): HandoverMessage[] {
    return sent.filter(([to, message]) => to === node && message.kind === kind).map(([, message]) => message);
  }

  function lastAsk(node: NodeId): number {
    const ask = saidTo(node, "joinAsk").at(-1);
    return ask?.kind === "joinAsk" ? ask.session : -1;
  }

  /** The peer is up, has taken note of this node, and this node of it. */
  function meet(node: NodeId, position = 0): void {
    handover.peerUp(node, 0);
    handover.message(node, { kind: "joinAck", scope, session: lastAsk(node), position, peers: [] }, 0);
    handover.message(node, { kind: "joinAsk", scope, session: 1 }, 0);
    handover.message(node, { kind: "active", scope, session: 1 }, 0);
  }

  test("a lone node is joined, and the arbiter of every name", () => {
    expect(handover.joined).toBe(true);
    expect(handover.arbitersOf("x", NONE)).toEqual([self]);
  });

  test("a newcomer is asked at once, but never alone", () => {
    handover.peerUp(a, 0);
    for (let name = 0; name < 50; name += 1) {
      const arbiters = handover.arbitersOf(`n${name}`, NONE);
      expect(arbiters.at(-1)).toBe(self);
    }
    expect(
      new Set(Array.from({ length: 50 }, (_, name) => handover.arbitersOf(`n${name}`, NONE).length)),
    ).toEqual(new Set([1, 2]));
  });

  test("names move to a newcomer once it says that it is active", () => {
    meet(a);
    const arbiters = Array.from({ length: 50 }, (_, name) => handover.arbitersOf(`n${name}`, NONE));
    expect(arbiters.every((asked) => asked.length === 1)).toBe(true);
    expect(new Set(arbiters.flat())).toEqual(new Set([self, a]));
  });

  test("only the names that a leaver held move when it goes", () => {
    meet(a);
    meet(b);
    const names = Array.from({ length: 200 }, (_, name) => `n${name}`);
    const before = names.map((name) => handover.arbitersOf(name, NONE)[0]);
    handover.peerDown(b);
    const after = names.map((name) => handover.arbitersOf(name, NONE)[0]);
    names.forEach((_, index) => {
      if (before[index] !== b) expect(after[index]).toBe(before[index]);
    });
  });

  test("is not joined before every peer has acknowledged it and their logs are applied that far", () => {
    handover.peerUp(a, 0);
    handover.peerUp(b, 0);
    handover.message(a, { kind: "joinAck", scope, session: lastAsk(a), position: 7, peers: [b] }, 0);
    expect(handover.joined).toBe(false);
    handover.message(b, { kind: "joinAck", scope, session: lastAsk(b), position: 0, peers: [a] }, 0);
    expect(handover.joined).toBe(false);
    expect(saidTo(a, "active")).toEqual([]);
    positions.set(a, 7);
    handover.review();
    expect(handover.joined).toBe(true);
    expect([saidTo(a, "active").length, saidTo(b, "active").length]).toEqual([1, 1]);
  });

  test("waits for a node that a peer knows and it does not", () => {
    handover.peerUp(a, 0);
    handover.message(a, { kind: "joinAck", scope, session: lastAsk(a), position: 0, peers: [b] }, 0);
    expect(handover.joined).toBe(false);
    gone.add(b);
    expect(handover.joined).toBe(true);
  });

  test("does not wait for a suspect", () => {
    handover.peerUp(a, 0);
    expect(handover.joined).toBe(false);
    suspects.add(a);
    expect(handover.joined).toBe(true);
  });

  test("acknowledges a newcomer only when no claim made without it is open", () => {
    oldestOpenView = handover.view;
    handover.peerUp(a, 0);
    handover.message(a, { kind: "joinAsk", scope, session: 4 }, 0);
    expect(saidTo(a, "joinAck")).toEqual([]);
    oldestOpenView = handover.view;
    positions.set(self, 12);
    handover.review();
    expect(saidTo(a, "joinAck")).toMatchObject([{ session: 4, position: 12 }]);
  });

  test("takes no word of an earlier time together for one of now", () => {
    handover.peerUp(a, 0);
    const early = lastAsk(a);
    handover.peerUp(a, 10);
    handover.message(a, { kind: "joinAck", scope, session: early, position: 0, peers: [] }, 11);
    expect(handover.joined).toBe(false);
    handover.message(a, { kind: "active", scope, session: 99 }, 12);
    expect(handover.arbitersOf("x", NONE).at(-1)).toBe(self);
  });

  test("asks again until it is answered", () => {
    handover.peerUp(a, 0);
    handover.tick(400);
    handover.tick(800);
    expect(saidTo(a, "joinAsk").length).toBe(3);
  });

  test("leaves only when everyone can do without it", () => {
    meet(a);
    meet(b);
    handover.leave(0);
    expect(handover.left).toBe(false);
    handover.message(a, { kind: "leaveAck", scope, position: 5 }, 1);
    expect(saidTo(a, "leaveSync")).toEqual([]);
    handover.message(b, { kind: "leaveAck", scope, position: 6 }, 2);
    const wants = [
      { node: a, position: 5 },
      { node: b, position: 6 },
    ];
    expect(saidTo(a, "leaveSync").at(-1)).toMatchObject({ positions: wants });
    handover.message(a, { kind: "leaveSynced", scope }, 3);
    expect(handover.left).toBe(false);
    handover.message(b, { kind: "leaveSynced", scope }, 4);
    expect(handover.left).toBe(true);
  });

  test("asks a leaver, but never alone, and lets it go when it has read what it was told of", () => {
    meet(a);
    meet(b);
    oldestOpenView = handover.view;
    handover.message(a, { kind: "leaving", scope }, 0);
    for (let name = 0; name < 50; name += 1) expect(handover.arbitersOf(`n${name}`, NONE).at(-1)).not.toBe(a);
    expect(saidTo(a, "leaveAck")).toEqual([]);
    oldestOpenView = Number.POSITIVE_INFINITY;
    handover.review();
    expect(saidTo(a, "leaveAck").length).toBe(1);
    handover.message(a, { kind: "leaveSync", scope, positions: [{ node: b, position: 3 }] }, 1);
    expect(saidTo(a, "leaveSynced")).toEqual([]);
    positions.set(b, 3);
    handover.review();
    expect(saidTo(a, "leaveSynced").length).toBe(1);
  });
});
