import { describe, expect, test, vi } from "vitest";
import { type ClusterNode, createPresence, createPubSub, type Process } from "../../../../src/index.ts";
import { partsOf } from "../../../../src/node/running-node.ts";
import { Shells } from "../../../support/shells.ts";

/** What is kept for a process until it ends, and not let go of before. */
function keptFor(node: ClusterNode, { pid }: Process): () => number {
  const process = partsOf(node).core.processes.find(pid);
  if (process === undefined) throw new Error("a process of this node");
  const [on, off] = [vi.spyOn(process, "onEnd"), vi.spyOn(process, "offEnd")];
  return () => {
    const kept = new Set(on.mock.calls.map(([run]) => run));
    for (const [run] of off.mock.calls) kept.delete(run);
    return kept.size;
  };
}

/** The listeners that a signal has. */
function listenersOf(signal: AbortSignal): () => number {
  const [on, off] = [vi.spyOn(signal, "addEventListener"), vi.spyOn(signal, "removeEventListener")];
  return () => {
    const kept = new Set(on.mock.calls.map(([, listener]) => listener));
    for (const [, listener] of off.mock.calls) kept.delete(listener);
    return kept.size;
  };
}

async function setUp(seed: string) {
  const shells = new Shells(seed);
  const a = await shells.start("a");
  const topics = createPubSub(a);
  return { shells, a, topics, presence: createPresence(topics) };
}

describe("a process that lives long", () => {
  test("is kept no more for what it is not subscribed to any more", async () => {
    const { a, topics } = await setUp("subscriptions");
    const process = a.spawn();
    const kept = keptFor(a, process);
    const subscriptions = ["x", "x", "y"].map((topic) => topics.subscribe(topic, process));
    expect(kept()).toBe(3);
    for (const each of subscriptions) each.unsubscribe();
    expect(kept()).toBe(0);
  });

  test("is kept no more for what it is not present in any more", async () => {
    const { a, presence } = await setUp("presences");
    const process = a.spawn();
    const kept = keptFor(a, process);
    for (let round = 0; round < 5; round += 1) {
      for (const topic of ["room", "hall"])
        for (const key of ["ann", "bob"]) presence.track(process, topic, key);
      expect(kept()).toBe(1);
      presence.untrack(process, "room");
      presence.untrack(process, "hall", "ann");
      expect(kept()).toBe(1);
      if (round % 2) presence.untrack(process, "hall", "bob");
      else presence.untrack(process);
      expect(kept()).toBe(0);
    }
  });
});

describe("a process that ends", () => {
  test("was subscribed to nothing and present nowhere, as far as its node still knows", async () => {
    const { shells, a, topics, presence } = await setUp("ends");
    const process = a.spawn();
    const controller = new AbortController();
    const listeners = listenersOf(controller.signal);
    for (const topic of ["x", "y"]) {
      topics.subscribe(topic, process, { signal: controller.signal });
      presence.track(process, topic, "ann");
    }
    expect(listeners()).toBe(1);
    process.exit();
    expect([listeners(), a.stats().subscriptions, a.groups.list()]).toEqual([0, 0, []]);
    await shells.run(20);
    const { pump } = partsOf(a).core;
    const { steps } = pump;
    // Whatever it still knew would be taken back here.
    presence.untrack(process);
    presence.untrack(process, "x");
    presence.untrack(process, "y", "ann");
    controller.abort();
    expect([pump.steps, a.stats().bugs, a.stats().processes]).toEqual([steps, 0, 0]);
  });
});

describe("a signal that outlives what it was given to", () => {
  test("has no listener left, however the subscription ended", async () => {
    const { a, topics } = await setUp("signals");
    const { signal } = new AbortController();
    const listeners = listenersOf(signal);
    const process = a.spawn();
    const subscriptions = [
      topics.subscribe("x", () => 1, { signal }),
      topics.subscribe("x", process, { signal }),
      topics.subscribe("y", () => 1, { signal }),
    ];
    expect(listeners()).toBe(1);
    subscriptions[0]?.unsubscribe();
    subscriptions[2]?.[Symbol.dispose]();
    expect(listeners()).toBe(1);
    process.exit();
    expect(listeners()).toBe(0);
    expect(a.stats().subscriptions).toBe(0);
  });

  test("has none left of a watch either", async () => {
    const { a, presence } = await setUp("watch signals");
    const { signal } = new AbortController();
    const listeners = listenersOf(signal);
    const watches = [presence.watch("room", { signal }), presence.watch("hall", { signal })];
    expect(listeners()).toBe(1);
    for (const watch of watches) await watch.return?.();
    expect([listeners(), a.stats().watches]).toEqual([0, 0]);
  });
});
