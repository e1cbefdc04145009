import { describe, expect, test } from "vitest";
import { BALLOTS_AT_ONCE, ITEMS_PER_REQUEST, MAX_OWED } from "../../../src/lease/limits.ts";
import type { SimLeaseNode } from "../../../src/sim/leases/node.ts";
import { Cast, type Grant } from "./cast.ts";

const TTL_MS = 10_000;

function takeMany(world: Cast, node: SimLeaseNode, count: number): readonly Grant[] {
  const grants: Grant[] = [];
  while (grants.length < count) {
    const size = Math.min(BALLOTS_AT_ONCE, count - grants.length);
    const asked = Array.from({ length: size }, (_, index) =>
      world.acquire(node, `x${grants.length + index}`),
    );
    for (const each of asked) grants.push(world.granted(each));
  }
  return grants;
}

describe("a name on a majority of lease servers", () => {
  test("is acquired in one round trip, and then held for as long as sessions are renewed", () => {
    const world = new Cast();
    const a = world.node(0);
    const grant = world.take(a, "x");
    expect(world.sent(a, "acquire")).toBe(3);
    world.run(60_000);
    expect(world.holds(a, grant)).toBe(true);
    expect([world.sent(a, "confirm"), world.sent(a, "attach")]).toEqual([0, 0]);
    expect(world.lost(a)).toEqual([]);
  });

  test("is refused to a second one, who is told by whom it is held", () => {
    const world = new Cast();
    const grant = world.take(world.node(0), "x");
    const refusal = world.refused(world.acquire(world.node(1), "x"));
    expect(refusal).toMatchObject({ kind: "taken", vote: { token: grant.token } });
    expect(world.refused(world.acquire(world.node(0), "x"))).toMatchObject({ kind: "taken" });
    expect(world.holds(world.node(0), grant)).toBe(true);
  });

  test("is free once it is released, and its next token is higher", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const first = world.take(a, "x");
    const released = world.release(a, first);
    expect(world.holds(a, first)).toBe(false);
    expect(world.outcome(released)).toEqual({ kind: "released", command: 2, confirmed: true });
    const second = world.take(b, "x");
    expect(second.token).toBeGreaterThan(first.token);
    expect(world.outcome(world.release(a, first))).toMatchObject({ confirmed: false });
    expect(world.holds(b, second)).toBe(true);
  });

  test("names of one node are released together by one request to each server, and all are free then", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grants = Array.from({ length: 200 }, (_, index) => world.take(a, `x${index}`));
    const before = world.sent(a, "release");
    const asked = world.releaseAll(a, grants);
    expect(world.sent(a, "release") - before).toBe(3);
    expect(grants.some((grant) => world.holds(a, grant))).toBe(false);
    expect(world.outcome(asked)).toMatchObject({ kind: "released", confirmed: true });
    for (const { name } of grants.slice(0, 5)) world.take(b, name);
  });

  test("is not lost because its node gives back more names at once than it may owe", () => {
    const world = new Cast({ nodes: 2 });
    const a = world.node(0);
    const other = world.take(a, "of another process");
    const grants = takeMany(world, a, MAX_OWED + 1);
    const before = world.sent(a, "release");
    const asked = world.releaseAll(a, grants);
    expect(asked.outcome).toBeUndefined();
    expect(world.sent(a, "release") - before).toBe(3 * Math.ceil(grants.length / ITEMS_PER_REQUEST));
    expect(world.outcome(asked)).toMatchObject({ confirmed: true });
    expect([world.holds(a, other), world.lost(a), world.sent(a, "close")]).toEqual([true, [], 0]);
  });

  test("is told to be lost before anything else is done, and thousands share the requests that give them back", () => {
    const world = new Cast({ nodes: 1 });
    const a = world.node(0);
    const grants = takeMany(world, a, 2_000);
    a.pause();
    world.run(1.1 * TTL_MS);
    world.told.length = 0;
    a.resume();
    const kinds = world.told.map(({ effect }) => effect.kind);
    expect(kinds.slice(0, grants.length).every((kind) => kind === "lost")).toBe(true);
    expect(world.lost(a)).toHaveLength(grants.length);
    world.run(TTL_MS);
    expect(world.sent(a, "release")).toBeLessThanOrEqual(3 * Math.ceil(grants.length / ITEMS_PER_REQUEST));
  });

  test("costs one renewal for each server and third of a ttl, however many names there are", () => {
    const world = new Cast({ nodes: 1 });
    const a = world.node(0);
    const asked = Array.from({ length: 1_000 }, (_, index) => world.acquire(a, `name ${index}`));
    for (const each of asked) world.granted(each);
    const renewals = world.sent(a, "renew");
    const all = world.told.length;
    world.run(10 * TTL_MS);
    expect(world.sent(a, "renew") - renewals).toBeLessThanOrEqual(3 * 31);
    expect(world.told.length - all).toBe(world.sent(a, "renew") - renewals);
    expect(a.machine.size).toBe(1_000);
  });

  test("is acquired while one server cannot be reached, and survives any other once that is back", () => {
    const world = new Cast();
    const a = world.node(0);
    world.cut(a, 2);
    const grant = world.take(a, "x");
    world.heal(a, 2);
    world.run(TTL_MS);
    world.cut(a, 0);
    world.run(3 * TTL_MS);
    expect(world.holds(a, grant)).toBe(true);
    world.heal(a, 0);
    world.run(TTL_MS);
    world.cut(a, 1);
    world.run(3 * TTL_MS);
    expect(world.holds(a, grant)).toBe(true);
  });

  test("is granted as soon as a majority has, however slow the others are", () => {
    const world = new Cast();
    const a = world.node(0);
    world.line(a, 1).slowerByMs = 500;
    const asked = world.acquire(a, "x");
    const beganMs = world.nowMs;
    world.granted(asked);
    expect(asked.endedMs - beganMs).toBeLessThan(10);
    // The one that comes late counts too.
    world.run(2_500);
    world.line(a, 1).slowerByMs = 0;
    world.cut(a, 0);
    world.run(3 * TTL_MS);
    expect(a.machine.size).toBe(1);
    expect(world.sent(a, "attach")).toBe(0);
  });

  test("gets the same token on all servers also from a node whose calendar is a year ahead, or behind", () => {
    const world = new Cast({ nodes: 3 });
    world.node(1).clock.stepWall(365 * 86_400_000);
    world.node(2).clock.stepWall(-365 * 86_400_000);
    world.run(TTL_MS);
    const tokens = [1, 2, 0, 2].map((index) => {
      const node = world.node(index);
      const grant = world.take(node, "x");
      world.outcome(world.release(node, grant));
      return grant.token;
    });
    expect(tokens).toEqual([...tokens].sort((left, right) => left - right));
    expect(new Set(tokens).size).toBe(4);
  });

  test("gets the higher token, stored at a majority, when servers know of different ones", () => {
    const world = new Cast({ nodes: 3 });
    const [a, b] = [world.node(0), world.node(1)];
    a.clock.stepWall(3_600_000);
    world.cut(a, 2);
    world.run(2 * TTL_MS);
    const first = world.take(a, "x");
    world.outcome(world.release(a, first));
    world.cut(b, 0);
    const second = world.take(b, "x");
    expect(world.sent(b, "confirm")).toBeGreaterThan(0);
    expect(second.token).toBeGreaterThan(first.token);
    world.outcome(world.release(b, second));
    // Server 0 has not seen the second, and the first was higher than any calendar says.
    const c = world.node(2);
    world.cut(c, 1);
    expect(world.take(c, "x").token).toBeGreaterThan(second.token);
  });

  test("is withdrawn when nobody waits for it any more", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const asked = world.acquire(a, "x");
    a.feed({ kind: "cancel", command: asked.command });
    world.run(100);
    expect(asked.outcome).toBeUndefined();
    expect(world.take(b, "x")).toBeDefined();
  });
});

describe("a majority that cannot be reached", () => {
  test("fails commands within their time, and says how many servers were reached", () => {
    const world = new Cast();
    const a = world.node(0);
    world.cut(a, 0);
    world.cut(a, 1);
    const beganMs = world.nowMs;
    const asked = [
      world.acquire(a, "x"),
      world.lookup(a, "x"),
      world.acquire(a, "y", { timeoutMs: 500 }),
      world.acquire(a, "z", { wait: true, timeoutMs: 7_000 }),
    ];
    for (const each of asked) {
      expect(world.refused(each)).toEqual({
        kind: "noQuorum",
        reached: 1,
        needed: 2,
        keptOut: 0,
        keptOutMs: 0,
      });
    }
    expect(asked.map(({ endedMs }) => Math.round((endedMs - beganMs) / 100))).toEqual([33, 33, 5, 70]);
  });

  test("is waited for by a node that has just started", () => {
    const world = new Cast();
    const asked = world.acquire(world.start(), "x");
    expect(world.granted(asked).token).toBeGreaterThan(0);
  });

  test("costs the names that are held, before anybody else can have them", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const grant = world.take(a, "x");
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 60_000 });
    let overlapped = false;
    world.onStep = () => {
      const other = asked.outcome?.kind === "granted" ? asked.outcome.grant : undefined;
      overlapped ||= other !== undefined && world.holds(a, grant) && world.holds(b, other);
    };
    world.run(1_000);
    for (const server of [0, 1, 2]) world.cut(a, server, 100_000);
    const next = world.granted(asked);
    expect(next.token).toBeGreaterThan(grant.token);
    expect(world.lost(a)).toEqual(["x"]);
    const lostMs = world.told.find(({ effect }) => effect.kind === "lost")?.atMs ?? Number.NaN;
    expect(lostMs).toBeLessThan(asked.endedMs);
    expect(overlapped).toBe(false);
  });

  test("does not bring a name back that was lost, when it can be reached again", () => {
    const world = new Cast();
    const a = world.node(0);
    const grant = world.take(a, "x");
    for (const server of [0, 1, 2]) world.cut(a, server);
    world.run(1.5 * TTL_MS);
    for (const server of [0, 1, 2]) world.heal(a, server);
    world.run(TTL_MS);
    expect(world.holds(a, grant)).toBe(false);
    expect(world.holder(world.node(1), "x")).toBeUndefined();
    expect(world.take(a, "x").token).toBeGreaterThan(grant.token);
  });

  test("is not made up of nodes that see different servers: neither side can take what the other holds", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.cut(a, 2);
    world.cut(b, 0);
    const grant = world.take(a, "x");
    expect(world.refused(world.acquire(b, "x"))).toMatchObject({ kind: "taken" });
    world.run(5 * TTL_MS);
    expect(world.refused(world.acquire(b, "x"))).toMatchObject({ kind: "taken" });
    expect(world.holds(a, grant)).toBe(true);
  });
});
