import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  AlreadyTrackedError,
  type ClusterNode,
  createPresence,
  createPubSub,
  type NodeId,
  NotTrackedError,
  natsBus,
  type Presence,
  type PresenceEvent,
  type Presences,
  type PubSub,
  startNode,
} from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { NatsServer } from "../support/nats-server.ts";
import { Programs } from "../support/program.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const SOON = { withinMs: 20_000 };

interface Site {
  readonly node: ClusterNode;
  readonly topics: PubSub;
  readonly presence: Presence;
}

/** A node in an OS process of its own, which is present under so many keys. */
const PRESENT = `
import { createPresence, createPubSub, natsBus, startNode } from "rollcall";
const [cluster, name, servers, count] = process.argv.slice(2);
const node = await startNode({ cluster, name, bus: natsBus({ servers }) });
const presence = createPresence(createPubSub(node));
for (let n = 0; n < Number(count); n += 1) presence.track(node.spawn(), "room", name + n, { n });
await node.settled();
console.log("present");
`;

let nats: NatsServer;
let programs: Programs;
beforeAll(async () => {
  nats = await NatsServer.start();
});
afterAll(() => nats[Symbol.asyncDispose]());

let owned: (() => Promise<unknown>)[];
let clusters = 0;
beforeEach(() => {
  owned = [];
  clusters += 1;
  programs = new Programs("presence");
});
afterEach(async () => {
  programs.end();
  for (const end of owned.reverse()) await end();
});

function cluster(): string {
  return `topics-${clusters}`;
}

async function site(name: string, servers = nats.url): Promise<Site> {
  const node = await startNode({ cluster: cluster(), name, bus: natsBus({ servers }) });
  owned.push(() => node.stop());
  const topics = createPubSub(node);
  return { node, topics, presence: createPresence(topics) };
}

async function threeSites(): Promise<readonly [Site, Site, Site]> {
  return Promise.all([site("a"), site("b"), site("c")]);
}

/** Everyone knows of everything that was done here. */
async function spread(...sites: readonly Site[]): Promise<void> {
  await Promise.all(sites.map(({ node }) => node.settled()));
}

function reading(watch: AsyncIterable<PresenceEvent>): PresenceEvent[] {
  const events: PresenceEvent[] = [];
  void (async () => {
    for await (const event of watch) events.push(event);
  })();
  return events;
}

function keysIn(presences: Presences): string {
  return Object.keys(presences).sort().join();
}

describe("topics on a real bus", () => {
  test("reach the subscribers of all nodes; all but who says it; this node's; one node's", async () => {
    const [a, b, c] = await threeSites();
    const got: string[] = [];
    const process = a.node.spawn((message) => void got.push(`a ${message}`));
    a.topics.subscribe("x", process);
    for (const [name, { topics }] of [["b", b] as const, ["c", c] as const])
      topics.subscribe("x", (message) => void got.push(`${name} ${message}`));
    await spread(a, b, c);
    a.topics.broadcast("x", "all");
    a.topics.broadcastFrom(process, "x", "others");
    b.topics.localBroadcast("x", "local");
    a.topics.directBroadcast(c.node.id, "x", "direct");
    a.topics.directBroadcast("gone@0mwqbp9pz0tnbw4cn" as NodeId, "x", "nobody");
    a.topics.broadcast("x", "last");
    const expected = ["a all", "a last", "b all", "b last", "b local", "b others"];
    expected.push("c all", "c direct", "c last", "c others");
    await eventually(() => got.length >= expected.length, SOON);
    expect([...got].sort()).toEqual(expected);
    for (const who of ["b", "c"])
      expect(got.filter((each) => each.startsWith(who) && !/local|direct/.test(each))).toEqual(
        ["all", "others", "last"].map((what) => `${who} ${what}`),
      );
  });

  test("deliver twice to who subscribes twice, and nothing to the dead", async () => {
    const [a, b] = await threeSites();
    const got: unknown[] = [];
    const twice = b.node.spawn((message) => void got.push(message));
    b.topics.subscribe("x", twice);
    b.topics.subscribe("x", twice);
    await spread(b);
    a.topics.broadcast("x", 1);
    await eventually(() => got.length === 2, SOON);
    twice.exit();
    await eventually(() => a.node.groups.list().length === 0, SOON);
    a.topics.broadcast("x", 2);
    await a.node.flushed();
    expect(got).toEqual([1, 1]);
    expect(b.node.stats().subscriptions).toBe(0);
  });

  test("1,000 topics, 3,000 subscribers, one of them slow: it is bounded and told, and nobody else waits", async () => {
    const sites = await threeSites();
    const got = new Map<string, number>();
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const slow: [unknown, number][] = [];
    for (let topic = 0; topic < 1_000; topic += 1) {
      for (const [index, { topics }] of sites.entries()) {
        if (topic === 0 && index === 0) {
          const listener = async (message: unknown, { missed }: { missed: number }): Promise<void> => {
            slow.push([message, missed]);
            await gate;
          };
          topics.subscribe("0", listener, { mailbox: 10 });
          continue;
        }
        const key = `${topic} ${index}`;
        topics.subscribe(`${topic}`, () => void got.set(key, (got.get(key) ?? 0) + 1));
      }
    }
    await spread(...sites);
    const [first, second] = sites;
    for (let round = 0; round < 30; round += 1) {
      for (let topic = 0; topic < 1_000; topic += 1) second.topics.broadcast(`${topic}`, round);
      await second.node.flushed();
    }
    await eventually(() => [...got.values()].every((count) => count === 30) && got.size === 2_999, SOON);
    expect(slow).toEqual([[0, 0]]);
    expect(first.node.stats().messages.mailboxFull).toBe(19);
    go();
    await eventually(() => slow.length === 11, SOON);
    second.topics.broadcast("0", "later");
    await eventually(() => slow.length === 12, SOON);
    expect(slow.at(-1)).toEqual(["later", 19]);
  });
});

describe("presence on a real bus", () => {
  test("shows everywhere, is updated in one diff, and goes with untrack and with its process", async () => {
    const [a, b, c] = await threeSites();
    const [ann, bob] = [a.node.spawn(), a.node.spawn()];
    const first = a.presence.track(ann, "room", "ann", { here: true });
    a.presence.track(bob, "room", "ann", { here: true });
    a.presence.track(bob, "hall", "bob");
    expect(() => a.presence.track(ann, "room", "ann")).toThrow(AlreadyTrackedError);
    expect(() => a.presence.update(ann, "hall", "ann", {})).toThrow(NotTrackedError);
    await spread(a, b, c);
    expect(c.presence.getByKey("room", "ann")).toHaveLength(2);
    expect([c.presence.getByKey("room", "bob"), c.presence.list("empty")]).toEqual([[], {}]);
    const events = reading(c.presence.watch("room"));
    const second = a.presence.update(ann, "room", "ann", (meta) => ({ ...meta, here: false }));
    await eventually(() => events.length === 2, SOON);
    expect(events[1]).toEqual({
      kind: "diff",
      joins: { ann: { metas: [second] } },
      leaves: { ann: { metas: [first] } },
    });
    expect(second).toMatchObject({ here: false, phx_ref_prev: first.phx_ref });
    a.presence.untrack(bob, "room", "ann");
    a.presence.untrack(bob, "room", "nobody");
    await eventually(() => events.length === 3, SOON);
    expect(keysIn(c.presence.list("hall"))).toBe("bob");
    ann.exit();
    await eventually(() => events.length === 4, SOON);
    expect(events[3]).toEqual({ kind: "diff", joins: {}, leaves: { ann: { metas: [second] } } });
    expect(c.presence.list("room")).toEqual({});
  });

  test("of a node that is out of reach is hidden, and back with the same references when it is not", async () => {
    const [a, c] = await Promise.all([site("a"), site("c")]);
    const proxy = await TcpProxy.start(nats.port);
    owned.push(() => proxy[Symbol.asyncDispose]());
    const b = await site("b", `nats://127.0.0.1:${proxy.port}`);
    const meta = b.presence.track(b.node.spawn(), "room", "bob");
    a.presence.track(a.node.spawn(), "room", "ann");
    await spread(a, b, c);
    const events = reading(c.presence.watch("room"));
    proxy.cut();
    await eventually(() => keysIn(c.presence.list("room")) === "ann", SOON);
    proxy.heal();
    await eventually(
      () => [a, b, c].every(({ presence }) => keysIn(presence.list("room")) === "ann,bob"),
      SOON,
    );
    expect(c.presence.getByKey("room", "bob")).toEqual([meta]);
    const bob = { bob: { metas: [meta] } };
    expect(events.slice(1)).toEqual([
      { kind: "diff", joins: {}, leaves: bob },
      { kind: "diff", joins: bob, leaves: {} },
    ]);
  });

  test("of a node that was killed is gone in one diff, of thousands; and at once when it has started again", async () => {
    const [a, c] = await Promise.all([site("a"), site("c")]);
    const killed = programs.run("b", PRESENT, cluster(), "b", nats.url, "3334");
    for (const [name, { node, presence }] of [["a", a] as const, ["c", c] as const])
      for (let n = 0; n < 3_333; n += 1) presence.track(node.spawn(), "room", `${name}${n}`, { n });
    await killed.says("present");
    const sites = [a, c];
    const count = ({ presence }: Site): number => Object.keys(presence.list("room")).length;
    await eventually(() => sites.every((each) => count(each) === 10_000), SOON);
    const streams = sites.map(({ presence }) => reading(presence.watch("room")));
    await eventually(() => streams.every((events) => events.length === 1), SOON);
    killed.kill();
    await eventually(() => sites.every((each) => count(each) === 6_666), SOON);
    await eventually(() => streams.every((events) => events.length > 1), SOON);
    for (const events of streams) {
      const [, diff, ...more] = events;
      expect(more).toEqual([]);
      expect(diff?.kind === "diff" && Object.keys(diff.leaves).length).toBe(3_334);
      expect(diff?.kind === "diff" && diff.joins).toEqual({});
    }
    const again = programs.run("b-again", PRESENT, cluster(), "b", nats.url, "1");
    await again.says("present");
    await eventually(() => sites.every((each) => count(each) === 6_667), SOON);
    again.kill();
    const third = programs.run("b-third", PRESENT, cluster(), "b", nats.url, "2");
    await third.says("present");
    await eventually(() => sites.every((each) => count(each) === 6_668), SOON);
  });
});
