import { describe, expect, test } from "vitest";
import { Cast } from "./cast.ts";

const TTL_MS = 10_000;

describe("looking up who holds a name", () => {
  test("tells the holder, with its token; and nobody, when nobody does", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    expect(world.holder(b, "x")).toBeUndefined();
    const grant = world.take(a, "x");
    const outcome = world.outcome(world.lookup(b, "x"));
    expect(outcome).toMatchObject({ kind: "found", holder: { token: grant.token } });
    expect(world.holder(a, "x")).toBe("n0");
    world.outcome(world.release(a, grant));
    expect(world.holder(b, "x")).toBeUndefined();
  });

  test("asks the holder, when the votes of a bare majority cannot all be read", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.cut(a, 2);
    world.take(a, "x");
    world.cut(b, 0);
    expect(world.holder(b, "x")).toBe("n0");
    expect(world.refused(world.acquire(b, "x"))).toMatchObject({ kind: "taken" });
  });

  test("is indeterminate, and no guess, when that one does not answer either", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.cut(a, 2);
    world.take(a, "x");
    world.cut(b, 0);
    world.deafen(a, b, true);
    expect(world.refused(world.lookup(b, "x", 3_000))).toEqual({ kind: "indeterminate" });
    expect(world.refused(world.acquire(b, "x", { timeoutMs: 3_000 }))).toEqual({ kind: "indeterminate" });
  });

  test("does not show the former holder once the next one has it", () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const world = new Cast({ nodes: 3, seed: `handoff ${seed}`, delayMs: [0.1, 20] });
      const [a, b, c] = [world.node(0), world.node(1), world.node(2)];
      let last = world.take(a, "x");
      let holder = a;
      let highest = 0;
      for (let round = 0; round < 6; round += 1) {
        const next = holder === a ? b : a;
        const asked = world.acquire(next, "x", { wait: true, timeoutMs: 60_000 });
        world.run(30);
        world.release(holder, last);
        let reads = 0;
        while (asked.outcome === undefined) {
          const outcome = world.outcome(world.lookup(c, "x"));
          if (outcome.kind !== "found" || outcome.holder === undefined) continue;
          expect(outcome.holder.token).toBeGreaterThanOrEqual(highest);
          highest = outcome.holder.token;
          reads += 1;
        }
        last = world.granted(asked);
        holder = next;
        const now = world.outcome(world.lookup(c, "x"));
        expect(now).toMatchObject({ kind: "found", holder: { token: last.token } });
        highest = last.token;
        expect(reads).toBeGreaterThanOrEqual(0);
      }
    }
  });

  test("does not take a name for free whose votes move from one server to another while it is read", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.cut(a, 2);
    const grant = world.take(a, "x");
    // 1. Server 2 is read, and has no vote; 2. it is given one; 3. server 0 forgets; 4. it is read. Server 1 does not answer.
    world.cut(a, 0, 100_000);
    while (a.machine.remainingMs("x", grant.claim, a.now()) > 300) world.run(50);
    world.line(b, 1).isMute = true;
    const letGo = world.keepRequests(b, 0);
    const asked = world.lookup(b, "x", 8_000);
    world.run(10);
    world.heal(a, 2);
    world.run(800);
    expect(world.holds(a, grant)).toBe(true);
    letGo();
    world.run(2);
    expect(asked.outcome).toBeUndefined();
    expect(world.outcome(asked)).toMatchObject({ kind: "found", holder: { token: grant.token } });
  });

  test("shows a holder that died until its session has ended, and then nobody", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.take(a, "x");
    a.crash();
    expect(world.holder(b, "x")).toBe("n0");
    world.run(1.1 * TTL_MS);
    expect(world.holder(b, "x")).toBeUndefined();
  });

  test("leaves votes as they are: an attempt that was taken back does not come to life", () => {
    const world = new Cast({ nodes: 3 });
    const [a, b, c] = [world.node(0), world.node(1), world.node(2)];
    const letGo = [1, 2].map((server) => world.keepRequests(a, server));
    const asked = world.acquire(a, "x", { timeoutMs: 2_000 });
    world.run(100);
    expect(world.holder(b, "x")).toBeUndefined();
    world.refused(asked);
    for (const go of letGo) go();
    world.run(5_000);
    expect(world.holder(b, "x")).toBeUndefined();
    expect(world.take(c, "x")).toBeDefined();
  });
});
