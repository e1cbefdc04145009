import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../src/kernel/ids.ts";
import { MAX_STRANGERS, MAX_TOMBSTONES } from "../../../src/monitor/limits.ts";
import { Membership } from "../../../src/monitor/membership.ts";
import type { MembershipEffect } from "../../../src/monitor/membership-types.ts";
import type { Hello, MembershipMessage } from "../../../src/monitor/protocol.ts";
import { DEFAULT_TIMES } from "../../../src/monitor/settings.ts";
import { Tombstones } from "../../../src/monitor/tombstones.ts";
import { Cluster } from "./cluster.ts";

const ids = new Cluster();
const self = ids.newId("self");
const peer = ids.newId("peer");

/** One machine, fed by hand. */
class Lone {
  readonly machine = new Membership({ self, times: DEFAULT_TIMES, versions: { min: 1, max: 1 } });
  nowMs = 0;

  constructor() {
    this.start = this.step({ kind: "start", serverId: "s1", scopes: ["default"], replaces: false });
  }

  readonly start: readonly MembershipEffect[];

  get broadcastNonce(): number {
    return hellosIn(this.start)[0]?.nonce ?? 0;
  }

  step(input: Parameters<Membership["step"]>[0]): readonly MembershipEffect[] {
    return this.machine.step(input, { monotonicMs: this.nowMs, wallMs: 0 });
  }

  hear(from: NodeId, message?: MembershipMessage): readonly MembershipEffect[] {
    const heard = this.step({ kind: "heard", from });
    return message === undefined ? heard : [...heard, ...this.step({ kind: "message", from, message })];
  }

  run(ms: number): MembershipEffect[] {
    const effects: MembershipEffect[] = [];
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs = Math.min(endMs, this.machine.deadlineMs ?? endMs);
      effects.push(...this.step({ kind: "tick" }));
    }
    return effects;
  }
}

function hello(parts: Partial<Hello>): Hello {
  return {
    kind: "hello",
    nonce: 0,
    echo: 0,
    wantReply: false,
    minVersion: 1,
    maxVersion: 1,
    serverId: "s1",
    replaces: false,
    scopes: ["default"],
    anew: false,
    scopesRevision: 0,
    beatMs: 1_000,
    ...parts,
  };
}

function hellosIn(effects: readonly MembershipEffect[]): Hello[] {
  return effects.flatMap((effect) =>
    (effect.kind === "send" || effect.kind === "broadcast") && effect.message.kind === "hello"
      ? [effect.message]
      : [],
  );
}

function kindsOf(effects: readonly MembershipEffect[]): string[] {
  return effects.map((effect) => effect.kind);
}

describe("coming up", () => {
  test("takes three messages between two nodes, and then no more", () => {
    const cluster = new Cluster();
    const first = cluster.start("first");
    cluster.run(1_000);
    cluster.happenings.length = 0;
    cluster.start("second");
    cluster.run(20);
    expect(cluster.disagreements()).toEqual([]);
    const direct = cluster.of("send").map(({ on }) => on);
    expect(direct).toEqual([first.id, ...cluster.of("up", first).map(({ effect }) => effect.peer.id)]);
    cluster.run(10_000);
    expect(cluster.of("send").length).toBe(2);
  });

  test("the answer leaves before anything that the layers above do about it", () => {
    const lone = new Lone();
    const effects = lone.hear(
      peer,
      hello({ echo: lone.broadcastNonce, nonce: 9, wantReply: true, anew: true }),
    );
    expect(kindsOf(effects)).toEqual(["send", "up"]);
    expect(hellosIn(effects)[0]).toMatchObject({ echo: 9, nonce: 0, wantReply: false });
  });

  test("nobody comes up by anything but an echo of a nonce that this node gave out", () => {
    const lone = new Lone();
    lone.hear(peer, hello({ nonce: 5, wantReply: true }));
    lone.hear(peer, { kind: "pulse", beatMs: 1_000, scopesRevision: 0 });
    lone.hear(peer, { kind: "scopesChanged", revision: 4, scopes: ["x"] });
    for (const echo of [0, 3, 99, 2 ** 50]) lone.hear(peer, hello({ echo }));
    expect(lone.machine.isUp(peer)).toBe(false);
  });

  test("a nonce that was given to another is worth nothing", () => {
    const lone = new Lone();
    const [challenge] = hellosIn(lone.hear(ids.newId("other"), hello({ nonce: 5, wantReply: true })));
    lone.hear(peer, hello({ nonce: 6, wantReply: true }));
    lone.hear(peer, hello({ echo: challenge?.nonce ?? 0 }));
    expect(challenge?.nonce).toBeGreaterThan(0);
    expect(lone.machine.isUp(peer)).toBe(false);
  });

  test("a nonce is worth nothing after a while", () => {
    const lone = new Lone();
    const [challenge] = hellosIn(lone.hear(peer, hello({ nonce: 5, wantReply: true })));
    lone.run(6_000);
    lone.hear(peer, hello({ echo: challenge?.nonce ?? 0 }));
    lone.hear(peer, hello({ echo: lone.broadcastNonce }));
    expect(lone.machine.isUp(peer)).toBe(false);
  });

  test("an echo from before a peer went down does not bring it back", () => {
    const lone = new Lone();
    const echoes = [hello({ echo: lone.broadcastNonce })];
    const [challenge] = hellosIn(lone.hear(peer, hello({ nonce: 5, wantReply: true })));
    echoes.push(hello({ echo: challenge?.nonce ?? 0 }));
    lone.hear(peer, echoes[1]);
    expect(lone.machine.isUp(peer)).toBe(true);
    lone.run(8_500);
    expect(lone.machine.downCause(peer)).toBe("silent");
    for (const echo of echoes) lone.hear(peer, echo);
    // A hello to all from before counts no more for it, though it counts for others.
    expect(lone.machine.isUp(peer)).toBe(false);
    const [again] = hellosIn(lone.hear(peer, hello({ nonce: 6, wantReply: true })));
    lone.hear(peer, hello({ echo: again?.nonce ?? 0 }));
    expect(lone.machine.isUp(peer)).toBe(true);
    expect(lone.machine.downCause(peer)).toBeUndefined();
  });

  test("an echo of what this node said before it was stopped for long proves nothing", () => {
    const lone = new Lone();
    const [challenge] = hellosIn(lone.hear(peer, hello({ nonce: 5, wantReply: true })));
    lone.nowMs += 10_000;
    lone.hear(peer, hello({ echo: challenge?.nonce ?? 0 }));
    lone.hear(peer, hello({ echo: lone.broadcastNonce }));
    expect(lone.machine.isUp(peer)).toBe(false);
  });

  test("an incarnation whose tombstone had to go needs a newer nonce than it ever could have", () => {
    const tombstones = new Tombstones();
    tombstones.bury(peer, "silent", 70);
    for (let index = 0; index < MAX_TOMBSTONES; index += 1)
      tombstones.bury(ids.newId(`t${index}`), "left", 3);
    expect(tombstones.size).toBe(MAX_TOMBSTONES);
    expect(tombstones.causeOf(peer)).toBeUndefined();
    expect(tombstones.floorOf(peer)).toBe(70);
  });

  test("the nonce of a hello to all is void for a peer that has been down since", () => {
    const lone = new Lone();
    lone.hear(peer, hello({ echo: lone.broadcastNonce }));
    for (let time = 0; time < 2; time += 1) lone.step({ kind: "noResponders", node: peer });
    for (let ms = 0; ms < 1_000; ms += 50) {
      lone.run(50);
      lone.step({ kind: "noResponders", node: peer });
    }
    expect(lone.machine.downCause(peer)).toBe("disconnected");
    lone.hear(peer, hello({ echo: lone.broadcastNonce }));
    expect(lone.machine.isUp(peer)).toBe(false);
    const other = ids.newId("other");
    lone.hear(other, hello({ echo: lone.broadcastNonce }));
    expect(lone.machine.isUp(other)).toBe(true);
  });

  test("a stranger that keeps being heard is challenged four times a second, and no more", () => {
    const lone = new Lone();
    lone.run(2_000);
    const effects: MembershipEffect[] = [];
    for (let ms = 0; ms < 2_000; ms += 10) {
      effects.push(...lone.hear(peer));
      effects.push(...lone.run(10));
    }
    const challenges = hellosIn(effects);
    expect(challenges.length).toBeGreaterThanOrEqual(7);
    expect(challenges.length).toBeLessThanOrEqual(9);
    expect(new Set(challenges.map(({ nonce }) => nonce)).size).toBe(1);
    expect(challenges.every(({ wantReply, anew }) => wantReply && anew)).toBe(true);
  });

  test("a stranger that falls silent is challenged a few times, then forgotten", () => {
    const lone = new Lone();
    lone.run(2_000);
    lone.hear(peer);
    expect(hellosIn(lone.run(9_000)).length).toBe(4);
    expect(lone.machine.gauges().strangers).toBe(1);
    lone.run(2_000);
    expect(lone.machine.gauges().strangers).toBe(0);
  });

  test("strangers beyond the limit are counted, not kept", () => {
    const lone = new Lone();
    for (let index = 0; index < MAX_STRANGERS + 50; index += 1) lone.hear(ids.newId(`x${index}`));
    expect(lone.machine.gauges().strangers).toBe(MAX_STRANGERS);
    expect(lone.machine.counts.strangersRefused).toBe(50);
    const answers = hellosIn(lone.hear(peer, hello({ nonce: 5, wantReply: true })));
    // It can still let us in.
    expect(answers).toMatchObject([{ echo: 5, nonce: 0 }]);
  });

  test("frames of this very node are no stranger's", () => {
    const lone = new Lone();
    lone.hear(self, hello({ nonce: 5, wantReply: true }));
    expect(lone.machine.gauges().strangers).toBe(0);
  });
});

test("a successor that took over the name shuts out its predecessor for as long as it is up", () => {
  const lone = new Lone();
  const old = ids.newId("web");
  const young = ids.newId("web");
  lone.hear(young, hello({ echo: lone.broadcastNonce, replaces: true }));
  lone.hear(old, hello({ echo: lone.broadcastNonce }));
  expect([lone.machine.isUp(young), lone.machine.isUp(old)]).toEqual([true, false]);
  lone.hear(young, { kind: "goodbye" });
  lone.hear(old, hello({ echo: lone.broadcastNonce }));
  expect([lone.machine.isUp(young), lone.machine.isUp(old)]).toEqual([false, true]);
});

describe("losing and finding each other", () => {
  test("one that was given up and never noticed is told that the other begins anew", () => {
    const cluster = new Cluster();
    const [first, second] = [cluster.start("first"), cluster.start("second")];
    cluster.run(1_000);
    cluster.happenings.length = 0;
    // Nothing of second gets to first; second hears first all the time.
    cluster.tellsOfCuts = false;
    cluster.reaches = (from, to) => !(from === second && to === first);
    cluster.run(10_000);
    expect(first.up).toEqual([]);
    expect(second.up).toEqual([first.id]);
    cluster.reaches = () => true;
    cluster.run(1_500);
    expect(cluster.disagreements()).toEqual([]);
    expect(cluster.of("up", first).length).toBe(1);
    expect(cluster.of("up", second)).toEqual([]);
    expect(cluster.of("rejoined", second).map(({ effect }) => effect.node)).toEqual([first.id]);
    expect(cluster.of("down", second)).toEqual([]);
  });

  test("when the last of the three messages is lost, the one that handed over already is told to do so again", () => {
    const cluster = new Cluster();
    const first = cluster.start("first");
    cluster.run(1_000);
    const second = cluster.start("second");
    // first has answered; what second answers to that does not arrive.
    cluster.run(2);
    cluster.reaches = (from) => from !== second;
    cluster.run(10);
    expect([second.up, first.up]).toEqual([[first.id], []]);
    cluster.reaches = () => true;
    cluster.run(1_500);
    expect(cluster.disagreements()).toEqual([]);
    expect(cluster.of("rejoined", second).length).toBeGreaterThanOrEqual(1);
  });

  test("two that lost each other are both told so, once, and neither to begin anew", () => {
    const cluster = new Cluster();
    const [first, second] = [cluster.start("first"), cluster.start("second")];
    cluster.run(1_000);
    cluster.reaches = () => false;
    cluster.run(12_000);
    cluster.happenings.length = 0;
    cluster.reaches = () => true;
    cluster.run(2_000);
    expect(cluster.disagreements()).toEqual([]);
    for (const node of [first, second]) expect(cluster.of("up", node).length).toBe(1);
    expect(cluster.of("rejoined")).toEqual([]);
  });

  test("a hello to all after a reconnect makes nobody answer who knows the node already", () => {
    const cluster = new Cluster();
    const nodes = cluster.startMany(6);
    cluster.run(1_000);
    const [first] = nodes;
    if (first === undefined) throw new Error("no node");
    cluster.disconnect(first);
    cluster.run(200);
    cluster.happenings.length = 0;
    cluster.reconnect(first);
    cluster.run(3_000);
    expect(cluster.of("send")).toEqual([]);
    expect(cluster.disagreements()).toEqual([]);
  });
});

describe("discovery", () => {
  test("a node that hears nobody is alone after the discovery time", () => {
    const lone = new Lone();
    expect(kindsOf(lone.run(299))).not.toContain("discovered");
    expect(lone.run(1)).toContainEqual({ kind: "discovered", alone: true });
    expect(hellosIn(lone.run(2_000))).toEqual([]);
  });

  test("it says hello several times meanwhile, with one nonce, so that a late answer still counts", () => {
    const lone = new Lone();
    const hellos = [...hellosIn(lone.start), ...hellosIn(lone.run(299))];
    expect(hellos.length).toBeGreaterThanOrEqual(3);
    expect(new Set(hellos.map(({ nonce }) => nonce)).size).toBe(1);
  });

  test("it is not over while somebody who was heard may still come up", () => {
    const lone = new Lone();
    lone.run(290);
    const [challenge] = hellosIn(lone.hear(peer, hello({ nonce: 5, wantReply: true })));
    expect(kindsOf(lone.run(200))).not.toContain("discovered");
    lone.hear(peer, hello({ echo: challenge?.nonce ?? 0 }));
    expect(lone.run(100)).toContainEqual({ kind: "discovered", alone: false });
  });

  test("it is over after a second or so even when somebody is heard who never answers", () => {
    const lone = new Lone();
    lone.run(290);
    const effects: MembershipEffect[] = [];
    for (let ms = 0; ms < 1_500; ms += 50) {
      lone.hear(peer);
      effects.push(...lone.run(50));
    }
    expect(effects).toContainEqual({ kind: "discovered", alone: true });
  });

  test("it does not wait for those who are heard only after its time", () => {
    const lone = new Lone();
    lone.run(250);
    lone.hear(peer);
    const effects: MembershipEffect[] = [];
    for (let ms = 0; ms < 3_000; ms += 100) {
      lone.hear(ids.newId("late"), hello({ nonce: 5, wantReply: true }));
      effects.push(...lone.run(100));
    }
    expect(kindsOf(effects).filter((kind) => kind === "discovered").length).toBe(1);
  });

  test("it begins again when the bus was away", () => {
    const lone = new Lone();
    lone.run(200);
    lone.step({ kind: "busDisconnected" });
    expect(kindsOf(lone.run(1_000))).not.toContain("discovered");
    lone.step({ kind: "busConnected", serverId: "s2" });
    expect(kindsOf(lone.run(299))).not.toContain("discovered");
    expect(kindsOf(lone.run(1))).toContain("discovered");
  });

  test("a stall at the start is no time of listening", () => {
    const lone = new Lone();
    lone.nowMs += 5_000;
    expect(kindsOf(lone.step({ kind: "tick" }))).not.toContain("discovered");
  });
});

describe("versions", () => {
  test("the highest common one is spoken", () => {
    const cluster = new Cluster();
    const old = cluster.start("old", { versions: { min: 1, max: 2 } });
    const young = cluster.start("young", { versions: { min: 2, max: 3 } });
    cluster.run(1_000);
    expect(old.membership.peer(young.id)?.version).toBe(2);
    expect(young.membership.peer(old.id)?.version).toBe(2);
  });

  test("a node that starts among nodes of other versions only is told so", () => {
    const cluster = new Cluster();
    const old = cluster.start("old");
    cluster.run(1_000);
    const young = cluster.start("young", { versions: { min: 2, max: 3 } });
    cluster.run(1_000);
    expect(cluster.of("incompatible", young).map(({ effect }) => effect)).toEqual([
      { kind: "incompatible", node: old.id, theirs: [1, 1] },
    ]);
    expect(cluster.of("discovered", young)).toEqual([]);
    // The others go on without it, and say so once.
    expect(cluster.of("log", old).length).toBe(1);
    cluster.run(5_000);
    expect(cluster.of("log", old).length).toBe(1);
    expect(old.up).toEqual([]);
  });

  test("a node that finds others of its version ignores the rest", () => {
    const cluster = new Cluster();
    cluster.start("old");
    cluster.start("mine", { versions: { min: 2, max: 2 } });
    const young = cluster.start("young", { versions: { min: 2, max: 3 } });
    cluster.run(1_000);
    expect(cluster.of("discovered", young).map(({ effect }) => effect.alone)).toEqual([false]);
    expect(young.up.length).toBe(1);
  });
});

describe("scopes", () => {
  test("a change is told to all, and told again to one that missed it", () => {
    const cluster = new Cluster();
    const [first, second] = [cluster.start("first"), cluster.start("second")];
    cluster.run(1_000);
    cluster.feed(first, { kind: "scopes", scopes: ["default", "a"] });
    cluster.run(10);
    expect(second.membership.peer(first.id)?.scopes).toEqual(["default", "a"]);
    cluster.reaches = (from) => from !== first;
    cluster.feed(first, { kind: "scopes", scopes: ["default", "b"] });
    cluster.run(10);
    cluster.reaches = () => true;
    expect(second.membership.peer(first.id)?.scopes).toEqual(["default", "a"]);
    cluster.run(1_200);
    expect(second.membership.peer(first.id)?.scopes).toEqual(["default", "b"]);
    expect(cluster.of("scopesOf", second).map(({ effect }) => effect.scopes)).toEqual([
      ["default", "a"],
      ["default", "b"],
    ]);
  });
});
