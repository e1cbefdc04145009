import { describe, expect, test } from "vitest";
import { QuorumCore } from "../../../src/lease/quorum/core.ts";
import { DEFAULT_LEASE_SETTINGS, leaseTimes } from "../../../src/lease/settings.ts";
import { Cast } from "./cast.ts";

const TTL_MS = 10_000;

describe("clocks", () => {
  const { lifeMs } = leaseTimes({ ttlMs: TTL_MS, clockRateBound: 0.01, serverStepMs: 250 });

  test("a holder counts from when its request was sent, not from when it was answered", () => {
    const world = new Cast({ nodes: 1, delayMs: [400, 400] });
    const a = world.node(0);
    world.run(3_000);
    const grant = world.take(a, "x");
    let sentMs = 0;
    world.passes = (_node, server, { request }) => {
      if (request.kind === "renew") {
        sentMs = world.nowMs;
        world.line(a, server).isMute = world.nowMs > 7_000;
      }
      return true;
    };
    world.run(6_900 - world.nowMs);
    const lastMs = sentMs;
    expect(lastMs).toBeGreaterThan(4_000);
    world.run(lastMs + lifeMs - world.nowMs - 1);
    expect(world.holds(a, grant)).toBe(true);
    world.run(2);
    expect(world.holds(a, grant)).toBe(false);
    expect(world.lost(a)).toEqual(["x"]);
  });

  test.each([0.99, 1.01])("a holder whose clock runs at %d of the right speed gives up in time", (rate) => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    a.clock.setRate(rate);
    a.rearm();
    const grant = world.take(a, "x");
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 60_000 });
    world.run(1_000);
    for (const server of [0, 1, 2]) world.cut(a, server, 100_000);
    world.granted(asked);
    expect(world.holds(a, grant)).toBe(false);
  });

  test("a machine that was suspended, its monotonic clock with it, holds nothing when it wakes", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    a.suspend();
    world.run(1.5 * TTL_MS);
    const next = world.take(b, "x");
    expect(next.token).toBeGreaterThan(grant.token);
    a.wake();
    expect(world.holds(a, grant)).toBe(false);
    expect(world.lost(a)).toEqual(["x"]);
  });

  test("nor if its calendar had been stepped back before it fell asleep", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    a.clock.stepWall(-3_600_000);
    world.run(100);
    a.suspend();
    world.run(1.5 * TTL_MS);
    const next = world.take(b, "x");
    a.wake();
    expect(world.holds(a, grant)).toBe(false);
    expect(world.holds(b, next)).toBe(true);
  });

  test("a calendar that tells whole milliseconds does not make time go faster the more often it is looked at", () => {
    const core = new QuorumCore({ owner: "n1", servers: 1, settings: DEFAULT_LEASE_SETTINGS });
    const look = (ms: number): void => core.look({ monotonicMs: ms, wallMs: Math.floor(1_000_000.7 + ms) });
    for (let ms = 0; ms <= 1_000; ms += 0.05) look(ms);
    expect(core.elapsedMs).toBeGreaterThan(999);
    expect(core.elapsedMs).toBeLessThan(1_003);
    // Asleep: the calendar alone goes on.
    core.look({ monotonicMs: 1_000.1, wallMs: 1_006_000 });
    expect(core.elapsedMs).toBeGreaterThan(5_990);
    // Back, by a bit each time, and then asleep again.
    for (let step = 1; step <= 100; step += 1)
      core.look({ monotonicMs: 1_000.1 + step, wallMs: 1_006_000 - 9 * step });
    const before = core.elapsedMs;
    core.look({ monotonicMs: 1_100.2, wallMs: 1_006_100 });
    expect(core.elapsedMs - before).toBeGreaterThan(995);
  });

  test("an event loop that stood still for a ttl finds the name lost before it does anything else", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    a.pause();
    world.run(1.2 * TTL_MS);
    const next = world.take(b, "x");
    // Asked in the very turn in which it wakes, before any timer or socket.
    expect(a.machine.remainingMs("x", grant.claim, a.now())).toBe(0);
    const before = world.told.length;
    a.resume();
    expect(world.told[before]?.effect).toMatchObject({ kind: "lost", name: "x" });
    expect(world.holds(b, next)).toBe(true);
  });

  test("a calendar that steps back, again and again, makes no lease last longer", () => {
    const world = new Cast();
    const a = world.node(0);
    const grant = world.take(a, "x");
    for (const server of [0, 1, 2]) world.cut(a, server, 100_000);
    for (let second = 0; second < 10; second += 1) {
      a.clock.stepWall(-1_000);
      world.run(1_000);
    }
    expect(world.holds(a, grant)).toBe(false);
    expect(world.lost(a)).toEqual(["x"]);
  });

  test.each([TTL_MS, -TTL_MS])(
    "a server whose clock steps by %d ms keeps out, and no name gets a second holder",
    (byMs) => {
      const world = new Cast();
      const [a, b] = [world.node(0), world.node(1)];
      world.cut(a, 2);
      const grant = world.take(a, "x");
      world.servers[0]?.clock.stepWall(byMs);
      const asked = world.acquire(b, "x", { wait: true, timeoutMs: 100_000 });
      world.run(100_000, () => asked.outcome !== undefined || !world.holds(a, grant));
      if (asked.outcome !== undefined) expect(world.holds(a, grant)).toBe(false);
      world.heal(a, 2);
      world.run(3 * TTL_MS);
      const later = world.take(b, `y ${byMs}`);
      expect(world.holds(b, later)).toBe(true);
    },
  );

  test("a server whose clock steps by less than is allowed for changes nothing", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 100_000 });
    for (const server of world.servers) server.clock.stepWall(249);
    world.run(2 * TTL_MS);
    expect(world.holds(a, grant)).toBe(true);
    for (const server of world.servers) server.clock.stepWall(249);
    for (const server of [0, 1, 2]) world.cut(a, server, 100_000);
    world.granted(asked);
    expect(world.holds(a, grant)).toBe(false);
    expect(world.warnings()).toEqual([]);
  });

  test("a server whose clock steps by more, but too little to keep out, is found out: its votes are made anew", () => {
    const world = new Cast();
    const a = world.node(0);
    const grant = world.take(a, "x");
    world.servers[1]?.clock.stepWall(1_000);
    world.run(TTL_MS);
    expect(world.warnings().filter((message) => /went ahead by (9|10)\d\d ms/.test(message))).not.toEqual([]);
    expect(world.holds(a, grant)).toBe(true);
    expect(world.sent(a, "attach")).toBe(1);
  });
});
