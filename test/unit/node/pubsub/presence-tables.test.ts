import { describe, expect, test } from "vitest";
import {
  type ClusterNode,
  createPresence,
  createPubSub,
  type Presence,
  type PresenceEvent,
  type PresenceMeta,
  type Presences,
} from "../../../../src/index.ts";
import { SeededRandom } from "../../../../src/kernel/random.ts";
import { KEPT_TABLES } from "../../../../src/node/pubsub/presence-tables.ts";
import { partsOf } from "../../../../src/node/running-node.ts";
import { countCollectionWork } from "../../../support/counted-collections.ts";
import { Shells } from "../../../support/shells.ts";

async function setUp(seed: string) {
  const shells = new Shells(seed);
  const [a, b] = await shells.startAll("a", "b");
  return { shells, a, b, onA: createPresence(createPubSub(a)), onB: createPresence(createPubSub(b)) };
}

/** Whether this node keeps a table of that topic. */
function isKept(node: ClusterNode, topic: string): boolean | undefined {
  return partsOf(node).scopes.get("default")?.groups.hub.isWatched(`presence:default:${topic}`);
}

/** What the members of the topic's group say, as it stands on this node: key, reference, and who says it. */
function truth(node: ClusterNode, topic: string): string[] {
  const members = [...node.groups.members(`presence:default:${topic}`)];
  return members
    .sort((left, right) => (left.pid < right.pid ? -1 : 1))
    .flatMap(({ meta }) => (meta as [string, object, string][]).map(([key, , ref]) => `${key} ${ref}`))
    .sort();
}

function listed(presences: Presences): string[] {
  return Object.entries(presences)
    .flatMap(([key, { metas }]) => metas.map((meta) => `${key} ${meta.phx_ref}`))
    .sort();
}

describe("a key", () => {
  test("costs what it has, however many others are there", async () => {
    const { shells, a, b, onA, onB } = await setUp("cost of a key");
    const work: number[] = [];
    let count = 0;
    for (const many of [20, 2_000]) {
      for (; count < many; count += 1)
        (count % 2 ? onA : onB).track((count % 2 ? a : b).spawn(), "room", `k${count}`);
      await shells.run(200);
      expect(onA.getByKey("room", "k7")).toHaveLength(1);
      work.push(countCollectionWork(() => onA.getByKey("room", "k7")));
    }
    expect(work[1]).toBe(work[0]);
  });

  test("that has changed costs no more", async () => {
    const { a, onA } = await setUp("cost of a change");
    const processes = Array.from({ length: 2_000 }, () => a.spawn());
    for (const [index, process] of processes.entries()) onA.track(process, "room", `k${index}`);
    expect(onA.getByKey("room", "k7")).toHaveLength(1);
    const [, second] = processes;
    const before = countCollectionWork(() => onA.getByKey("room", "k1"));
    onA.update(second ?? a.spawn(), "room", "k1", { later: true });
    expect(countCollectionWork(() => onA.getByKey("room", "k1"))).toBe(before);
    expect(onA.getByKey("room", "k1")).toMatchObject([{ later: true }]);
  });

  test("costs nothing for those who have left it", async () => {
    const { a, onA } = await setUp("cost of the past");
    onA.track(a.spawn(), "room", "bob");
    onA.list("room");
    for (let count = 0; count < 500; count += 1) {
      const process = a.spawn();
      onA.track(process, "room", "ann");
      if (count % 2) onA.untrack(process, "room");
      else process.exit();
    }
    onA.track(a.spawn(), "room", "ann");
    expect(countCollectionWork(() => onA.getByKey("room", "ann"))).toBe(
      countCollectionWork(() => onA.getByKey("room", "bob")),
    );
  });

  test("lists its metas by process, the same everywhere, in whatever order they came", async () => {
    const { shells, a, b, onA, onB } = await setUp("in order");
    const processes = Array.from({ length: 12 }, () => a.spawn());
    const inOrder: PresenceMeta[] = [];
    onB.track(b.spawn(), "room", "ann", { as: "b" });
    await shells.run(20);
    const diffs: Presences[] = [];
    void (async () => {
      for await (const event of onB.watch("room")) if (event.kind === "diff") diffs.push(event.joins);
    })();
    for (const process of processes.reverse())
      inOrder.push(onA.track(process, "room", "ann", { as: process.pid }));
    await shells.run(20);
    const expected = processes.map(({ pid }) => pid as string).sort();
    for (const presence of [onA, onB]) {
      expect(presence.getByKey("room", "ann").map((meta) => meta["as"])).toEqual([...expected, "b"]);
      expect(presence.list("room")["ann"]?.metas.map((meta) => meta["as"])).toEqual([...expected, "b"]);
    }
    expect(diffs.map((joins) => joins["ann"]?.metas.map((meta) => meta["as"]))).toEqual([expected]);
  });
});

describe("untrack", () => {
  test("of a process costs what that process has, however many topics there are", async () => {
    const { a, onA } = await setUp("cost of untrack");
    const [one, other, stranger] = [a.spawn(), a.spawn(), a.spawn()];
    for (let topic = 0; topic < 2_000; topic += 1) onA.track(other, `t${topic}`, "other");
    onA.track(one, "t3", "ann");
    expect(countCollectionWork(() => onA.untrack(stranger))).toBeLessThan(50);
    expect(countCollectionWork(() => onA.untrack(one))).toBeLessThan(50);
    expect([onA.getByKey("t3", "ann"), onA.getByKey("t3", "other").length]).toEqual([[], 1]);
  });
});

describe("what is listed", () => {
  test("is what the members of the group say, whatever happens", async () => {
    const { shells, a, b, onA, onB } = await setUp("truth");
    const random = new SeededRandom("truth");
    const draw = (below: number): number => random.u32() % below;
    const sites: [ClusterNode, Presence][] = [
      [a, onA],
      [b, onB],
    ];
    const processes = sites.map(([node]) => Array.from({ length: 4 }, () => node.spawn()));
    for (let step = 0; step < 400; step += 1) {
      const place = draw(2);
      const [node, presence] = sites[place] ?? [a, onA];
      const mine = processes[place] ?? [];
      const number = draw(mine.length);
      const process = mine[number] ?? node.spawn();
      const [topic, key] = [`t${draw(2)}`, `k${draw(4)}`];
      const isThere = presence.list(topic)[key]?.metas.some((meta) => meta["of"] === process.pid) ?? false;
      const how = draw(10);
      if (how < 6 && !isThere) presence.track(process, topic, key, { of: process.pid });
      else if (how < 6) presence.update(process, topic, key, (meta) => ({ ...meta, step }));
      else if (how === 6) presence.untrack(process, topic, key);
      else if (how === 7) presence.untrack(process);
      else if (how === 8 && draw(4) === 0) {
        process.exit();
        mine[number] = node.spawn();
      } else await shells.run(draw(6));
      if (step === 250) {
        shells.network.partition([["a"], ["b"]]);
        await shells.eventually(() => a.nodes().length === 1 && b.nodes().length === 1);
      }
      if (step === 300) shells.network.heal();
      for (const [node, presence] of sites) {
        for (const topic of ["t0", "t1"]) {
          const known = truth(node, topic);
          expect(listed(presence.list(topic))).toEqual(known);
          for (const key of ["k0", "k3"])
            expect(presence.getByKey(topic, key)).toHaveLength(
              known.filter((one) => one.startsWith(key)).length,
            );
        }
      }
    }
    await shells.eventually(() => a.nodes().length === 2 && b.nodes().length === 2);
    await shells.run(500);
    expect(listed(onA.list("t0"))).toEqual(listed(onB.list("t0")));
    expect(Object.keys(onA.list("t0")).length).toBeGreaterThan(0);
  });

  test("is the reader's own: no later change and no other reader shows in it", async () => {
    const { shells, a, onA, onB } = await setUp("own");
    const process = a.spawn();
    const given = onA.track(process, "room", "ann", { at: new Date(7), list: [1] });
    await shells.run(20);
    const before = onB.list("room");
    const metas = onB.getByKey("room", "ann") as PresenceMeta[];
    const read = [given, ...(before["ann"]?.metas ?? []), ...metas].map((meta) => meta["at"] as Date);
    expect(read).toEqual([new Date(7), new Date(7), new Date(7)]);
    for (const date of read) date.setTime(1);
    metas.length = 0;
    expect(onB.getByKey("room", "ann")).toMatchObject([{ at: new Date(7) }]);
    onA.track(process, "room", "bob");
    await shells.run(20);
    expect(Object.keys(before)).toEqual(["ann"]);
    for (const presence of [onA, onB]) {
      expect(Object.keys(presence.list("room"))).toEqual(["ann", "bob"]);
      expect(presence.getByKey("room", "ann")).toMatchObject([{ at: new Date(7), list: [1] }]);
      expect(presence.list("room")["ann"]?.metas).toMatchObject([{ at: new Date(7) }]);
    }
  });
});

describe("a watch", () => {
  test("that opens while a change is on its way has it in its state, and is not told again", async () => {
    const { shells, a, b, onA } = await setUp("in between");
    const [loser, winner] = [a.spawn(), b.spawn()];
    onA.track(loser, "room", "ann");
    const seen: [opened: string, event: PresenceEvent][] = [];
    const open = (opened: string): void => {
      const watch = onA.watch("room");
      void (async () => {
        for await (const event of watch) seen.push([opened, event]);
      })();
    };
    open("before");
    // Its signal aborts when the tables know of its end, and before those are told who watch them.
    loser.signal.addEventListener("abort", () => open("in between"));
    shells.network.partition([["a"], ["b"]]);
    await shells.eventually(() => a.nodes().length === 1 && b.nodes().length === 1);
    await shells.until(b.names.register("name", winner));
    await shells.run(100);
    await shells.until(a.names.register("name", loser));
    shells.network.heal();
    await shells.eventually(() => loser.signal.aborted);
    await shells.run(100);
    expect(seen.map(([opened, { kind }]) => `${opened}: ${kind}`).sort()).toEqual([
      "before: diff",
      "before: state",
      "in between: state",
    ]);
    expect(seen.find(([opened]) => opened === "in between")?.[1]).toEqual({ kind: "state", presences: {} });
  });
});

describe("in the middle of a step", () => {
  /** Does that where a logger stands, in the middle of a step: what is done there is the machine's next input. */
  async function inTheMiddle(shells: Shells, node: ClusterNode, run: () => void): Promise<void> {
    let hasRun = false;
    const hub = partsOf(node).scopes.get("default")?.names.hub;
    const watcher = hub?.add(undefined, () => ({
      push: () => {
        if (hasRun) return;
        hasRun = true;
        run();
      },
      end: () => {},
    }));
    await shells.until(node.names.register("name", node.spawn()));
    if (watcher !== undefined) hub?.remove(watcher, undefined);
    expect(hasRun).toBe(true);
  }

  function seenBy(watch: AsyncIterable<PresenceEvent>): PresenceEvent[] {
    const events: PresenceEvent[] = [];
    void (async () => {
      for await (const event of watch) events.push(event);
    })();
    return events;
  }

  test("a watch that begins tells of what ends there, and shows no ghost", async () => {
    const { shells, a, onA } = await setUp("watched in the middle");
    const [ann, bob, cid] = [a.spawn(), a.spawn(), a.spawn()];
    onA.track(ann, "room", "ann");
    onA.track(bob, "room", "bob");
    const events: PresenceEvent[][] = [];
    await inTheMiddle(shells, a, () => {
      ann.exit();
      onA.update(bob, "room", "bob", { later: true });
      events.push(seenBy(onA.watch("room")), seenBy(onA.watch("room")));
      onA.track(cid, "room", "cid");
    });
    await shells.run(20);
    const keys = (presences: Presences) => Object.keys(presences).sort().join();
    const told = events.map((each) =>
      each.map((event) =>
        event.kind === "diff" ? [keys(event.joins), keys(event.leaves)] : keys(event.presences),
      ),
    );
    expect(told[0]).toEqual(["ann,bob", ["bob,cid", "ann,bob"]]);
    expect(told[1]).toEqual(told[0]);
    expect(Object.keys(onA.list("room")).sort()).toEqual(["bob", "cid"]);
    expect([onA.getByKey("room", "ann"), listed(onA.list("room"))]).toEqual([[], truth(a, "room")]);
    expect(onA.getByKey("room", "bob")).toMatchObject([{ later: true }]);
  });

  test("a watch that begins and ends keeps no table that shows a ghost", async () => {
    const { shells, a, onA } = await setUp("in and out");
    const [ann, bob] = [a.spawn(), a.spawn()];
    for (const topic of ["room", "hall"]) onA.track(ann, topic, "ann");
    onA.track(bob, "hall", "bob");
    await inTheMiddle(shells, a, () => {
      ann.exit();
      for (const topic of ["room", "hall"]) void onA.watch(topic).return?.();
    });
    expect([isKept(a, "room"), Object.keys(onA.list("room")), Object.keys(onA.list("hall"))]).toEqual([
      false,
      [],
      ["bob"],
    ]);
  });

  test("a watch that begins, and has its node stopped, ends with it", async () => {
    const { shells, a, b, onA, onB } = await setUp("stopped in the middle");
    // Who stays: a table of which all have gone is dropped with its node's processes.
    onB.track(b.spawn(), "room", "bob");
    await shells.run(20);
    const events: PresenceEvent[] = [];
    let stopped: Promise<void> | undefined;
    // Whatever else was put off: a failure would lose it.
    let areOthersDone = false;
    await inTheMiddle(shells, a, () => {
      void (async () => {
        for await (const event of onA.watch("room")) events.push(event);
      })();
      stopped = a.stop();
      partsOf(a).core.pump.afterwards(() => {
        areOthersDone = true;
      });
    }).catch(() => undefined);
    await shells.until(stopped ?? Promise.reject(new Error("nothing was stopped")));
    expect(events).toMatchObject([{ kind: "state" }]);
    expect(areOthersDone).toBe(true);
  });

  test("a resync is followed by what came after it, and by nothing that it has already", async () => {
    const shells = new Shells("resync");
    const a = await shells.start("a", { limits: { watchQueue: 2 } });
    const onA = createPresence(createPubSub(a));
    const [ann, bob] = [a.spawn(), a.spawn()];
    const watch = onA.watch("room");
    await watch.next();
    for (let count = 0; count < 6; count += 1) onA.track(ann, "room", `k${count}`);
    let resync: Promise<IteratorResult<PresenceEvent, undefined>> | undefined;
    // It is told after the table is, and before the step is over.
    partsOf(a)
      .scopes.get("default")
      ?.groups.hub.add("presence:default:room", () => ({
        push: () => {
          resync ??= watch.next();
        },
        end: () => {},
      }));
    const late = onA.track(bob, "room", "late");
    const told = [(await resync)?.value, (await watch.next()).value];
    expect(told[0]).toMatchObject({ kind: "resync", presences: { k5: {} } });
    expect(told[0]).not.toMatchObject({ presences: { late: {} } });
    expect(told[1]).toEqual({ kind: "diff", joins: { late: { metas: [late] } }, leaves: {} });
  });
});

describe("a table", () => {
  test("is kept for a topic that was read, until nobody is there", async () => {
    const { shells, a, b, onA, onB } = await setUp("kept");
    const process = a.spawn();
    onA.track(process, "room", "ann");
    await shells.run(20);
    expect(isKept(b, "room")).toBe(false);
    onB.list("room");
    expect(isKept(b, "room")).toBe(true);
    process.exit();
    await shells.run(20);
    expect(isKept(b, "room")).toBe(false);
    expect([onB.list("room"), onB.getByKey("room", "ann"), isKept(b, "room")]).toEqual([{}, [], false]);
    onA.track(a.spawn(), "room", "bob");
    await shells.run(20);
    expect(Object.keys(onB.list("room"))).toEqual(["bob"]);
  });

  test("that is read in the middle of a step shows no ghost later", async () => {
    const { shells, a, onA } = await setUp("in the middle");
    const [process, holder] = [a.spawn(), a.spawn()];
    onA.track(process, "room", "ann");
    const read: Presences[] = [];
    // Where a logger stands: what is done here is the machine's next input.
    partsOf(a)
      .scopes.get("default")
      ?.names.hub.add(undefined, () => ({
        push: () => {
          if (read.length > 0) return;
          process.exit();
          read.push(onA.list("room"));
        },
        end: () => {},
      }));
    await shells.until(a.names.register("name", holder));
    expect(read.map((presences) => Object.keys(presences))).toEqual([["ann"]]);
    expect([onA.list("room"), onA.getByKey("room", "ann"), isKept(a, "room")]).toEqual([{}, [], false]);
  });

  test("outlasts those who watch, and they it", async () => {
    const { shells, a, onA } = await setUp("watched");
    const watch = onA.watch("room");
    await watch.next();
    const process = a.spawn();
    onA.track(process, "room", "ann");
    expect((await watch.next()).value).toMatchObject({ kind: "diff", joins: { ann: {} } });
    onA.untrack(process);
    expect((await watch.next()).value).toMatchObject({ kind: "diff", leaves: { ann: {} } });
    expect(isKept(a, "room")).toBe(true);
    onA.track(process, "room", "bob");
    await watch.return?.();
    expect(isKept(a, "room")).toBe(true);
    expect(Object.keys(onA.list("room"))).toEqual(["bob"]);
    const again = onA.watch("room");
    expect((await again.next()).value).toMatchObject({ kind: "state", presences: { bob: {} } });
    onA.untrack(process);
    expect((await again.next()).value).toMatchObject({ kind: "diff", leaves: { bob: {} } });
    await again.return?.();
    await shells.run(20);
    expect(isKept(a, "room")).toBe(false);
  });

  test("of the topic that was read longest ago goes when there are too many", async () => {
    const { a, onA } = await setUp("too many");
    const process = a.spawn();
    const topics = Array.from({ length: KEPT_TABLES + 1 }, (_, index) => `t${index}`);
    for (const topic of topics) onA.track(process, topic, "ann");
    for (const topic of topics.slice(0, -1)) onA.list(topic);
    onA.getByKey("t0", "ann");
    onA.list(topics.at(-1) ?? "");
    expect(topics.filter((topic) => isKept(a, topic) !== true)).toEqual(["t1"]);
    onA.update(process, "t1", "ann", { later: true });
    expect(onA.getByKey("t1", "ann")).toMatchObject([{ later: true }]);
    expect(topics.filter((topic) => isKept(a, topic) !== true)).toEqual(["t2"]);
  });

  test("that is watched never goes, also when it was read before", async () => {
    const { shells, a, onA } = await setUp("watched and read");
    const process = a.spawn();
    onA.track(process, "room", "ann");
    onA.list("room");
    const seen: PresenceEvent[] = [];
    void (async () => {
      for await (const event of onA.watch("room")) seen.push(event);
    })();
    for (let topic = 0; topic <= KEPT_TABLES; topic += 1) {
      onA.track(process, `t${topic}`, "ann");
      onA.list(`t${topic}`);
    }
    onA.untrack(process, "room");
    await shells.run(20);
    expect(seen).toMatchObject([{ kind: "state" }, { kind: "diff", leaves: { ann: {} } }]);
  });
});
