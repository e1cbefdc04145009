import { describe, expect, test } from "vitest";
import { Cast, type Grant } from "./cast.ts";

const TTL_MS = 10_000;

describe("many who want one name", () => {
  test.each([3, 5])(
    "16 contenders on %d servers: each gets it in turn, and none twice at once",
    (servers) => {
      const world = new Cast({ servers, nodes: 16, delayMs: [0.1, 0.6] });
      const waits: number[] = [];
      let held = 0;
      let most = 0;
      const count = 4;
      let open = 16 * count;
      const go = (index: number, left: number): void => {
        if (left === 0) return;
        const node = world.node(index);
        const beganMs = world.nowMs;
        const asked = world.acquire(node, "x", { wait: true, timeoutMs: 60_000 });
        const poll = (): void => {
          if (asked.outcome === undefined) {
            world.clock.after(0.2, poll);
            return;
          }
          const grant = world.granted(asked);
          waits.push(asked.endedMs - beganMs);
          held += 1;
          most = Math.max(most, held);
          world.clock.after(1, () => {
            held -= 1;
            open -= 1;
            world.release(node, grant);
            go(index, left - 1);
          });
        };
        poll();
      };
      for (let index = 0; index < 16; index += 1) go(index, count);
      world.run(60_000, () => open === 0);
      expect([open, most]).toEqual([0, 1]);
      waits.sort((left, right) => left - right);
      expect(waits.at(-1)).toBeLessThan(2_000);
    },
  );

  test("who does not wait is told that it is taken, and one gets it, though votes split", () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const world = new Cast({ servers: 5, nodes: 16, seed: `split ${seed}`, delayMs: [0.1, 5] });
      const asked = world.nodes.map((node) => world.acquire(node, "x"));
      const outcomes = asked.map((each) => world.outcome(each));
      expect(outcomes.filter(({ kind }) => kind === "granted")).toHaveLength(1);
      const refusals = outcomes.flatMap((outcome) =>
        outcome.kind === "refused" ? [outcome.refusal.kind] : [],
      );
      expect(refusals).toEqual(Array.from({ length: 15 }, () => "taken"));
    }
  });

  test("whoever comes first is served first", () => {
    const world = new Cast({ nodes: 6 });
    let grant: Grant = world.take(world.node(0), "x");
    const asked = [4, 2, 5, 1, 3].map((index) => {
      const each = world.acquire(world.node(index), "x", { wait: true, timeoutMs: 60_000 });
      world.run(50);
      return { index, each };
    });
    let last = world.node(0);
    for (const { each, index } of asked) {
      world.release(last, grant);
      grant = world.granted(each);
      last = world.node(index);
    }
  });

  test("a waiter that has died does not block those behind it", () => {
    const world = new Cast({ nodes: 3 });
    const grant = world.take(world.node(0), "x");
    world.acquire(world.node(1), "x", { wait: true, timeoutMs: 60_000 });
    world.run(1_000);
    const second = world.acquire(world.node(2), "x", { wait: true, timeoutMs: 60_000 });
    world.run(1_000);
    world.node(1).crash();
    const releasedMs = world.nowMs;
    world.release(world.node(0), grant);
    world.granted(second);
    expect(second.endedMs - releasedMs).toBeLessThan(2_000);
  });

  test("the word of a release may be lost: who is next looks by itself", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 60_000 });
    world.run(1_000);
    world.deafen(a, b, true);
    const releasedMs = world.nowMs;
    world.release(a, grant);
    world.granted(asked);
    expect(asked.endedMs - releasedMs).toBeLessThan(600);
  });

  test("with it, the next has the name within a few round trips", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 60_000 });
    world.run(1_000);
    const releasedMs = world.nowMs;
    world.release(a, grant);
    world.granted(asked);
    expect(asked.endedMs - releasedMs).toBeLessThan(15);
  });

  test("who stops waiting leaves the line", () => {
    const world = new Cast({ nodes: 3 });
    const [a, b, c] = [world.node(0), world.node(1), world.node(2)];
    const grant = world.take(a, "x");
    const gone = world.acquire(b, "x", { wait: true, timeoutMs: 2_000 });
    world.run(100);
    const asked = world.acquire(c, "x", { wait: true, timeoutMs: 60_000 });
    expect(world.refused(gone)).toEqual({ kind: "timeout" });
    world.run(100);
    const releasedMs = world.nowMs;
    world.release(a, grant);
    world.granted(asked);
    expect(asked.endedMs - releasedMs).toBeLessThan(15);
  });

  test("two waiters of one node are two, and each gets it in turn", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    const asked = [b, b, a].map((node) => {
      const each = world.acquire(node, "x", { wait: true, timeoutMs: 60_000 });
      world.run(50);
      return each;
    });
    world.release(a, grant);
    let last = b;
    for (const [index, each] of asked.entries()) {
      const next = world.granted(each);
      last = index === 2 ? a : b;
      world.release(last, next);
    }
  });

  test("thousands that one node waits for are had soon after their holder died, and until then cost little", () => {
    const world = new Cast({ nodes: 2 });
    const [a, b] = [world.node(0), world.node(1)];
    const names = Array.from({ length: 2_000 }, (_, index) => `x${index}`);
    for (const name of names) world.take(a, name);
    const asked = names.map((name) => world.acquire(b, name, { wait: true, timeoutMs: 120_000 }));
    world.run(5_000);
    let looks = 0;
    world.passes = (node, _server, { request }) => {
      if (node === b && request.kind === "acquire") looks += request.items.length;
      return true;
    };
    world.run(10_000);
    // Each looks once in two seconds, at three servers.
    expect(looks).toBeLessThan(3 * names.length * 6);
    expect(looks).toBeGreaterThan(3 * names.length * 3);
    a.crash();
    const crashedMs = world.nowMs;
    world.run(TTL_MS + 1_000, () => asked.every(({ outcome }) => outcome !== undefined));
    for (const each of asked) world.granted(each);
    expect(world.nowMs - crashedMs).toBeLessThan(TTL_MS + 1_000);
  });

  test("all names of a node that died can be had after a ttl", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const names = Array.from({ length: 500 }, (_, index) => `name ${index}`);
    for (const each of names.map((name) => world.acquire(a, name))) world.granted(each);
    a.crash();
    const asked = names.map((name) => world.acquire(b, name, { wait: true, timeoutMs: 60_000 }));
    world.run(1.5 * TTL_MS);
    expect(asked.filter(({ outcome }) => outcome?.kind === "granted")).toHaveLength(500);
  });

  test("a node that closes frees all its names with one request to each server", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    for (const name of ["x", "y", "z"]) world.take(a, name);
    const before = world.told.length;
    a.feed({ kind: "close" });
    expect(
      world.told.slice(before).map(({ effect }) => effect.kind === "send" && effect.request.kind),
    ).toEqual(["close", "close", "close"]);
    expect(a.machine.deadlineMs).toBeUndefined();
    world.run(10);
    for (const name of ["x", "y", "z"]) world.take(b, name);
  });
});
