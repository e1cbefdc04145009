import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryNetwork, type MemoryNetworkOptions } from "../../src/bus/memory.ts";
import { SeededRandom } from "../../src/kernel/random.ts";
import { VirtualClock } from "../../src/kernel/virtual-clock.ts";
import { BusPeer } from "../support/bus-peer.ts";

let clock: VirtualClock;
let network: MemoryNetwork;

function start(options: Partial<MemoryNetworkOptions> = {}, seed = "seed"): void {
  clock = new VirtualClock();
  network = new MemoryNetwork({
    clock,
    random: new SeededRandom(seed),
    delayMs: { min: 1, max: 10 },
    ...options,
  });
}

function connect(name: string, subjects: readonly string[] = [], serverId?: string): BusPeer {
  const peer = new BusPeer(name);
  const bus = network.bus(name, serverId === undefined ? {} : { serverId });
  peer.attach(bus.connectNow({ ...peer.options(), clock }));
  for (const subject of subjects) peer.connection.subscribe(subject);
  return peer;
}

beforeEach(() => start());

describe("MemoryNetwork in virtual time", () => {
  test("nothing arrives before time passes, and no promise is needed for it to arrive", () => {
    const [a, b] = [connect("a"), connect("b", ["t.x"])];
    a.publish("t.x", "hello");
    clock.advanceBy(0.99);
    expect(b.texts).toEqual([]);
    clock.advanceBy(10);
    expect(b.texts).toEqual(["hello"]);
  });

  test("order holds on each link, while different senders overtake each other, and receivers differ in time", () => {
    const [a, b] = [connect("a"), connect("b")];
    const receivers = [connect("c", ["t"]), connect("d", ["t"])];
    const firstAt = new Map<string, number>();
    for (const receiver of receivers) {
      receiver.onMessage = () =>
        void (firstAt.has(receiver.name) || firstAt.set(receiver.name, clock.now().monotonicMs));
    }
    for (let index = 0; index < 50; index += 1) {
      a.publish("t", `a ${index}`);
      b.publish("t", `b ${index}`);
      clock.advanceBy(0.5);
    }
    clock.advanceBy(20);
    const inOrder = (sender: string): string[] =>
      Array.from({ length: 50 }, (_, index) => `${sender} ${index}`);
    for (const receiver of receivers) {
      for (const sender of ["a", "b"]) {
        expect(receiver.texts.filter((text) => text.startsWith(sender))).toEqual(inOrder(sender));
      }
    }
    expect(receivers[0]?.texts).not.toEqual(receivers[1]?.texts);
    expect(firstAt.get("c")).not.toBe(firstAt.get("d"));
    const sentOrder = inOrder("a").flatMap((text, index) => [text, `b ${index}`]);
    expect(receivers[0]?.texts).not.toEqual(sentOrder);
  });

  test("a seed gives the same run again; and what passes on one link does not change the delays of another", () => {
    const run = (noise: boolean, seed: string): string => {
      start({}, seed);
      const [a, b] = [connect("a"), connect("b", ["t"])];
      const c = connect("c", ["noise"]);
      const log: string[] = [];
      b.onMessage = (_, data) =>
        void log.push(`${Buffer.from(data).toString()} at ${clock.now().monotonicMs}`);
      for (let index = 0; index < 20; index += 1) {
        a.publish("t", `${index}`);
        if (noise) for (let extra = 0; extra < index; extra += 1) a.publish("noise", "x");
        if (noise) c.connection.probe("nobody");
        clock.advanceBy(3);
      }
      clock.advanceBy(50);
      return log.join("\n");
    };
    expect(run(false, "one")).toBe(run(false, "one"));
    expect(run(true, "one")).toBe(run(false, "one"));
    expect(run(false, "two")).not.toBe(run(false, "one"));
  });

  test("flush resolves through the clock, and is rejected by a drop", async () => {
    const a = connect("a");
    const outcomes: string[] = [];
    a.connection.flush().then(() => outcomes.push("taken"));
    await Promise.resolve();
    expect(outcomes).toEqual([]);
    clock.advanceBy(10);
    await Promise.resolve();
    expect(outcomes).toEqual(["taken"]);
    const second = a.connection.flush();
    network.disconnect("a");
    await expect(second).rejects.toMatchObject({ code: "BUS_CLOSED" });
  });
});

describe("faults of the MemoryNetwork", () => {
  test("a drop loses what is under way to and from it, and the reconnect has a new epoch and the old subscriptions", () => {
    const [a, b] = [connect("a", ["to.a"]), connect("b", ["to.b"])];
    a.publish("to.b", "from the dropped");
    b.publish("to.a", "to the dropped");
    network.disconnect("a");
    network.reconnect("a", { serverId: "s2" });
    clock.advanceBy(20);
    expect([a.texts, b.texts]).toEqual([[], []]);
    expect(a.statuses).toEqual([{ kind: "disconnected" }, { kind: "connected", epoch: 2, serverId: "s2" }]);
    expect(b.statuses).toEqual([]);
    b.publish("to.a", "again");
    clock.advanceBy(20);
    expect(a.texts).toEqual(["again"]);
  });

  test("a partition cuts silently, also what is under way, and probes across it have no responders", () => {
    const [a, b, c] = [connect("a", ["p.a", "t"]), connect("b", ["p.b", "t"]), connect("c", ["p.c", "t"])];
    a.publish("t", "under way");
    network.partition([["a"], ["b", "c"]]);
    a.publish("t", "cut");
    b.publish("t", "same side");
    a.connection.probe("p.b");
    b.connection.probe("p.a");
    b.connection.probe("p.c");
    clock.advanceBy(20);
    expect([a.texts, b.texts, c.texts]).toEqual([[], [], ["same side"]]);
    expect([a.noResponders, b.noResponders]).toEqual([["p.b"], ["p.a"]]);
    expect([a, b, c].flatMap((peer) => peer.statuses)).toEqual([]);
    network.heal();
    a.publish("t", "healed");
    clock.advanceBy(20);
    expect([b.texts, c.texts]).toEqual([["healed"], ["same side", "healed"]]);
  });

  test("across a black hole probes vanish, but those of subjects nobody has anywhere are answered", () => {
    const a = connect("a");
    connect("b", ["p.b"]);
    network.partition([["a"], ["b"]], { blackHole: true });
    a.connection.probe("p.b");
    a.connection.probe("p.nobody");
    clock.advanceBy(20);
    expect(a.noResponders).toEqual(["p.nobody"]);
  });

  test("names that a partition does not mention are together on a side of their own", () => {
    const [a, b, c] = [connect("a", ["t"]), connect("b", ["t"]), connect("c", ["t"])];
    network.partition([["a"]]);
    b.publish("t", "x");
    clock.advanceBy(20);
    expect([a.texts, c.texts]).toEqual([[], ["x"]]);
  });

  test("a killed node is called back no more, and no responders never overtakes its last words", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 8 }), (seed) => {
        start({}, seed);
        const [a, b] = [connect("a", ["to.a"]), connect("b", ["to.b"])];
        a.publish("to.b", "last words");
        b.publish("to.a", "too late");
        network.kill("a");
        b.connection.probe("to.a");
        clock.advanceBy(30);
        expect(a.calls).toEqual([]);
        expect(b.calls.map((call) => call.kind)).toEqual(["message", "noResponders"]);
        expect(a.publish("to.b", "from the dead")).toBe(false);
      }),
    );
  });

  test("a node killed may start again under its name, and hears nothing that was meant for the former", () => {
    const b = connect("b");
    connect("a", ["to.a"]);
    b.publish("to.a", "for the former");
    network.kill("a");
    const again = connect("a", ["to.a"]);
    clock.advanceBy(20);
    expect(again.texts).toEqual([]);
    expect([again.connection.epoch, again.connection.connected]).toEqual([1, true]);
    expect(() => connect("a")).toThrow(/a name that no live connection has/);
  });

  test("a paused node is found by probes, and gets what came, in order, when it resumes", () => {
    const [a, b] = [connect("a", ["to.a"]), connect("b")];
    network.pause("a");
    for (let index = 0; index < 5; index += 1) b.publish("to.a", `${index}`);
    b.connection.probe("to.a");
    clock.advanceBy(1_000);
    expect([a.texts, b.noResponders]).toEqual([[], []]);
    network.disconnect("a");
    network.resume("a");
    expect(a.texts).toEqual(["0", "1", "2", "3", "4"]);
    expect(a.statusKinds).toEqual(["disconnected"]);
  });

  test("with advisories the end of a connection is told to the others it could reach, not to itself", () => {
    start({ advisories: true });
    const [a, b, c] = [connect("a"), connect("b"), connect("c")];
    network.partition([["c"]]);
    network.kill("a");
    clock.advanceBy(20);
    expect([a.advisories, b.advisories, c.advisories]).toEqual([[], ["a"], []]);
    network.heal();
    network.disconnect("b");
    clock.advanceBy(20);
    expect([b.advisories, c.advisories]).toEqual([["a"], ["b"]]);
  });

  test("servers may differ from node to node", () => {
    const [a, b] = [connect("a", [], "s1"), connect("b", [], "s2")];
    expect([a.connection.serverId, b.connection.serverId]).toEqual(["s1", "s2"]);
  });
});

describe("MemoryNetwork misbehaves one way, late or twice", () => {
  test("what a deaf connection is sent is lost; the other way goes on", () => {
    const [a, b] = [connect("a", ["to.a"]), connect("b", ["to.b"])];
    const end = network.deafen("a", "b");
    a.publish("to.b", "lost");
    b.publish("to.a", "heard");
    clock.advanceBy(20);
    end();
    a.publish("to.b", "heard");
    clock.advanceBy(20);
    expect([a.texts, b.texts]).toEqual([["heard"], ["heard"]]);
    expect(network.effects.lostOneWay).toBe(1);
  });

  test("a clogged way is slow, in order, and fast again afterwards", () => {
    const [a, b] = [connect("a"), connect("b", ["t"])];
    const end = network.clog("a", "b", 100);
    a.publish("t", "slow");
    clock.advanceBy(100);
    expect(b.texts).toEqual([]);
    end();
    a.publish("t", "behind it");
    clock.advanceBy(20);
    expect(b.texts).toEqual(["slow", "behind it"]);
  });

  test("frames come twice while they are repeated", () => {
    const [a, b] = [connect("a"), connect("b", ["t"])];
    const end = network.repeat("a", "b");
    a.publish("t", "one");
    end();
    end();
    a.publish("t", "two");
    clock.advanceBy(20);
    expect(b.texts).toEqual(["one", "one", "two"]);
  });

  test("several cuts hold at once, and part nobody they do not mention", () => {
    const [a, b, c] = [connect("a", ["t"]), connect("b", ["t"]), connect("c")];
    const ends = [network.cut([["a"], ["c"]]), network.cut([["a", "b"], ["c"]])];
    c.publish("t", "for nobody");
    ends[1]?.();
    c.publish("t", "for b");
    ends[0]?.();
    c.publish("t", "for both");
    clock.advanceBy(20);
    expect([a.texts, b.texts]).toEqual([["for both"], ["for b", "for both"]]);
  });

  test("until a drop is noticed, what is published is taken and lost", () => {
    const [a, b] = [connect("a"), connect("b", ["t"])];
    network.disconnectUnnoticed("a");
    expect(a.connection.connected).toBe(true);
    expect(a.connection.publish("t", Uint8Array.of(1))).toBe(true);
    expect(a.connection.probe("nobody")).toBe(true);
    network.noticeDrop("a");
    expect(a.connection.connected).toBe(false);
    expect(a.connection.publish("t", Uint8Array.of(1))).toBe(false);
    network.reconnect("a");
    a.publish("t", "again");
    clock.advanceBy(20);
    expect(b.texts).toEqual(["again"]);
  });

  test("a flush of a connection that has dropped unnoticed is rejected once that is noticed", async () => {
    const a = connect("a");
    network.disconnectUnnoticed("a");
    const flushed = a.connection.flush();
    clock.advanceBy(100);
    network.reconnect("a");
    await expect(flushed).rejects.toMatchObject({ code: "BUS_CLOSED" });
  });
});
