import { describe, expect, test } from "vitest";
import { Cast, type Grant } from "./cast.ts";

const TTL_MS = 10_000;
/** Longer than a server that may have forgotten keeps out. */
const GUARD_MS = 11_000;

describe("servers that lose what they knew", () => {
  test("are used at once when nobody has ever used them", () => {
    const world = new Cast();
    const asked = world.acquire(world.start(), "x");
    world.granted(asked);
    expect(asked.endedMs).toBeLessThan(500);
    expect(world.warnings()).toEqual([]);
  });

  test.each(["kept", "older", "lost"] as const)(
    "a server that is restarted, its data %s, gives no vote away that is counted on, and takes part again",
    (data) => {
      const world = new Cast();
      const [a, b] = [world.node(0), world.node(1)];
      world.cut(a, 2);
      world.servers[0]?.save();
      const grant = world.take(a, "x");
      world.restart(0, data);
      // Votes of 0 and 1, and 0 has been restarted: 0 and 2 are a majority too.
      world.cut(b, 1);
      const asked = world.acquire(b, "x", { wait: true, timeoutMs: 60_000 });
      let overlapped = false;
      world.onStep = () => {
        const other = asked.outcome?.kind === "granted" ? asked.outcome.grant : undefined;
        overlapped ||= other !== undefined && world.holds(a, grant) && world.holds(b, other);
      };
      world.run(3 * TTL_MS);
      expect(overlapped).toBe(false);
      world.heal(a, 2);
      world.heal(b, 1);
      world.run(TTL_MS);
      const later = world.take(b, "y");
      world.cut(b, 2);
      world.run(3 * TTL_MS);
      expect(world.holds(b, later)).toBe(true);
    },
  );

  test("tokens go on above those that were forgotten", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    a.clock.stepWall(86_400_000);
    world.cut(a, 2);
    world.run(TTL_MS);
    const grant = world.take(a, "x");
    world.outcome(world.release(a, grant));
    a.crash();
    world.restart(0, "lost");
    world.cut(b, 1);
    world.run(2 * TTL_MS);
    // Only server 1 knows the token, and it cannot be reached. Server 0 has to wait for it.
    expect(world.refused(world.acquire(b, "x"))).toMatchObject({ kind: "noQuorum" });
    world.heal(b, 1);
    world.run(3 * TTL_MS);
    // Who comes now has nothing to go by but what these two say.
    const c = world.start();
    world.cut(c, 1);
    expect(world.take(c, "x").token).toBeGreaterThan(grant.token);
  });

  test("a name that is held gets its votes back on a server that was restarted, whatever tokens others got there", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    b.clock.stepWall(3_600_000);
    world.take(b, "y");
    world.restart(1, "lost");
    world.run(GUARD_MS + TTL_MS);
    world.cut(a, 0);
    world.run(3 * TTL_MS);
    expect(world.holds(a, grant)).toBe(true);
  });

  test("that are restarted one by one, slowly enough, cost nobody a name", () => {
    const world = new Cast();
    const a = world.node(0);
    const grant = world.take(a, "x");
    for (const server of [0, 1, 2]) {
      world.restart(server, "lost");
      world.run(GUARD_MS + TTL_MS);
    }
    expect(world.holds(a, grant)).toBe(true);
    expect(world.holder(world.node(1), "x")).toBe("n0");
    world.run(3 * TTL_MS);
    expect(world.lost(a)).toEqual([]);
  });

  test.each([
    ["all of them restarted within a ttl", [0, 1, 2], "kept"],
    ["two of them without data", [0, 1], "lost"],
  ] as const)(
    "a majority of them (%s) closes, and says so, in place of starting tokens anew",
    (_what, servers, data) => {
      const world = new Cast();
      const [a, b] = [world.node(0), world.node(1)];
      const grant = world.take(a, "x");
      for (const server of servers) {
        world.restart(server, data);
        world.run(1_000);
      }
      world.run(3 * TTL_MS);
      expect(world.holds(a, grant)).toBe(false);
      expect(world.refused(world.acquire(b, "x"))).toMatchObject({ kind: "noQuorum" });
      expect(world.refused(world.lookup(b, "x"))).toMatchObject({ kind: "noQuorum" });
      expect(world.warnings().filter((message) => message.includes("another namespace"))).not.toEqual([]);
    },
  );

  test("a server that is wiped as it runs is found out like one that is restarted", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.cut(a, 2);
    const grant = world.take(a, "x");
    world.servers[0]?.wipe();
    const other = world.acquire(b, "x", { wait: true, timeoutMs: 9_000 });
    expect(world.refused(other)).toEqual({ kind: "timeout" });
    world.run(100);
    expect(world.holds(a, grant)).toBe(true);
    world.run(3 * TTL_MS);
    expect(world.take(b, "y")).toBeDefined();
  });

  test("a server that stood still for two ttls carries out nothing of what waited for it", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.cut(a, 2);
    const grant = world.take(a, "x");
    world.servers[0]?.pause();
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 100_000 });
    world.run(2 * TTL_MS);
    const wasHeld = world.holds(a, grant);
    world.servers[0]?.resume();
    world.run(100);
    expect(wasHeld).toBe(false);
    if (asked.outcome === undefined) world.heal(a, 2);
    expect(world.granted(asked).token).toBeGreaterThan(grant.token);
  });

  test("a floor is asked for only after the wait: a token may be on its way to those who are asked", () => {
    // 1. a confirms a token at 0; 2. 0 restarts empty; 3. the token arrives at 1, which had been asked for a floor before.
    const world = new Cast({ nodes: 3 });
    const [a, b, c] = [world.node(0), world.node(1), world.node(2)];
    world.run(1_000);
    const askedMs: number[] = [];
    world.restart(0, "lost");
    const restartedMs = world.nowMs;
    world.passes = (_node, _server, { request }) => {
      if (request.kind === "status") askedMs.push(world.nowMs);
      return true;
    };
    world.run(2 * TTL_MS);
    expect(askedMs.length).toBeGreaterThan(0);
    expect(Math.min(...askedMs) - restartedMs).toBeGreaterThan(TTL_MS);
    expect([a, b, c].map((node) => world.take(node, `of ${node.owner}`)).length).toBe(3);
  });

  test("the wait is not cut short by a calendar that is put right meanwhile", () => {
    const world = new Cast({ nodes: 2 });
    world.run(1_000);
    const askedMs: number[] = [];
    world.restart(0, "lost");
    const restartedMs = world.nowMs;
    world.passes = (_node, _server, { request }) => {
      if (request.kind === "recover") askedMs.push(world.nowMs);
      return true;
    };
    // Each too small to be noticed, and both together half a ttl.
    for (let step = 0; step < 2; step += 1) {
      world.run(TTL_MS / 5);
      world.servers[0]?.clock.stepWall(TTL_MS * 0.25);
    }
    world.run(2 * TTL_MS);
    expect(Math.min(...askedMs) - restartedMs).toBeGreaterThan(TTL_MS);
    expect(askedMs.length).toBeLessThan(10);
  });

  test("nodes that live for less than the wait do not keep it out for ever", () => {
    const world = new Cast({ nodes: 1 });
    world.take(world.node(0), "x");
    world.restart(0, "kept");
    const restartedMs = world.nowMs;
    const isReady = (): boolean => world.servers[0]?.isReady === true;
    for (let life = 0; life < 10 && !isReady(); life += 1) {
      world.run(0.9 * TTL_MS, isReady);
      world.nodes.at(-1)?.crash();
      world.start();
    }
    expect(isReady()).toBe(true);
    expect(world.nowMs - restartedMs).toBeGreaterThan(GUARD_MS);
  });

  test.each([1, 3])(
    "of %d servers that are all wiped as they run none is taken for new: whoever holds a name has given it up before another gets it",
    (servers) => {
      const world = new Cast({ servers, nodes: 2 });
      const [a, b] = [world.node(0), world.node(1)];
      const grant = world.take(a, "x");
      world.run(2 * TTL_MS);
      for (const server of world.servers) server.wipe();
      const asked = world.acquire(b, "x", { wait: true, timeoutMs: 120_000 });
      // One that has only just started knows nothing of it either.
      const late = world.acquire(world.start(), "x", { wait: true, timeoutMs: 120_000 });
      world.run(3 * TTL_MS, () => {
        if (asked.outcome === undefined && late.outcome === undefined) return false;
        expect(world.holds(a, grant)).toBe(false);
        return true;
      });
      const [first] = [asked, late].filter(({ outcome }) => outcome !== undefined);
      expect(first === undefined ? 0 : world.granted(first).token).toBeGreaterThan(grant.token);
    },
  );

  test("tokens keep going up through restart after restart", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const tokens: number[] = [];
    let holder = a;
    for (let round = 0; round < 9; round += 1) {
      const grant: Grant = world.take(holder, "x");
      tokens.push(grant.token);
      world.outcome(world.release(holder, grant));
      holder = holder === a ? b : a;
      holder.clock.stepWall(round % 2 === 0 ? 7_200_000 : -7_200_000);
      world.restart(round % 3, round % 2 === 0 ? "lost" : "older");
      world.run(GUARD_MS + TTL_MS);
    }
    expect(tokens).toEqual([...tokens].sort((left, right) => left - right));
    expect(new Set(tokens).size).toBe(9);
  });

  test.each(["kept", "lost"] as const)(
    "one server alone that is restarted, its data %s, serves again after its wait, with higher tokens",
    (data) => {
      const world = new Cast({ servers: 1 });
      const [a, b] = [world.node(0), world.node(1)];
      const grant = world.take(a, "x");
      world.restart(0, data);
      world.run(GUARD_MS + TTL_MS);
      expect(world.holds(a, grant)).toBe(false);
      expect(world.take(b, "x").token).toBeGreaterThan(grant.token);
      expect(world.warnings()).toEqual([]);
    },
  );

  test("a server that keeps out is not counted among those that can be asked for votes", () => {
    const world = new Cast();
    const a = world.node(0);
    world.take(a, "x");
    expect(a.machine.quorum(a.now())).toMatchObject({ reached: 3, needed: 2 });
    world.restart(0, "lost");
    world.run(TTL_MS / 2);
    expect(a.machine.quorum(a.now())).toMatchObject({ reached: 2, needed: 2 });
    world.run(GUARD_MS + TTL_MS);
    expect(a.machine.quorum(a.now())).toMatchObject({ reached: 3, needed: 2 });
  });
});
