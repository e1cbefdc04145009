import { describe, expect, test } from "vitest";
import { Cast } from "./cast.ts";

const TTL_MS = 10_000;

describe("votes and renewals", () => {
  test("have to come from the same majority", () => {
    // Votes of 0 and 1, renewals at 1 and 2: server 0 lets the session go, and a rival gets 0 and 2.
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.passes = (node, server, { request }) =>
      !(node === a && server === 2 && (request.kind === "acquire" || request.kind === "attach"));
    const grant = world.take(a, "x");
    world.passes = (node, server, { request }) =>
      !(node === a && server === 0 && request.kind === "renew") &&
      !(node === a && server === 2 && (request.kind === "acquire" || request.kind === "attach"));
    world.cut(b, 1);
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 60_000 });
    world.run(60_000, () => asked.outcome !== undefined);
    expect(world.holds(a, grant)).toBe(false);
    expect(world.granted(asked).token).toBeGreaterThan(grant.token);
  });

  test("of a session that has ended do not count for the next one", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.cut(a, 2);
    const grant = world.take(a, "x");
    // Server 0 does not hear of a for a ttl; b gets that vote and that of 2; then a is back, with a session that is new.
    world.cut(a, 0);
    world.cut(b, 1);
    const asked = world.acquire(b, "x", { wait: true, timeoutMs: 60_000 });
    const next = world.granted(asked);
    world.heal(a, 0);
    world.heal(a, 2);
    world.run(2 * TTL_MS);
    expect(world.holds(a, grant)).toBe(false);
    expect(world.holds(b, next)).toBe(true);
  });

  test("that were given before a long pause are not counted after it", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const asked = world.acquire(a, "x", { timeoutMs: 60_000 });
    a.pause();
    world.run(1.5 * TTL_MS);
    const grant = world.take(b, "x");
    a.resume();
    expect(world.refused(asked)).toMatchObject({ kind: "taken", vote: { token: grant.token } });
    expect(world.holds(b, grant)).toBe(true);
  });

  test("that two servers gave without being heard are taken back, and asked for again", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.line(a, 0).isMute = true;
    world.line(a, 1).isMute = true;
    const asked = world.acquire(a, "x", { timeoutMs: 3_000 });
    expect(world.refused(asked).kind).toMatch(/timeout|noQuorum/);
    world.line(a, 0).isMute = false;
    world.line(a, 1).isMute = false;
    world.run(TTL_MS);
    expect(world.take(b, "x")).toBeDefined();
  });

  test("asked for on an earlier connection are refused when they come late", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const letGo = [0, 1, 2].map((server) => world.keepRequests(a, server));
    const asked = world.acquire(a, "x", { timeoutMs: 100 });
    world.refused(asked);
    for (const server of [0, 1, 2]) {
      world.line(a, server).kept = undefined;
      world.breakLine(a, server);
    }
    world.run(1_000);
    for (const go of letGo) go();
    world.run(100);
    expect(world.take(b, "x")).toBeDefined();
  });
});

describe("late messages", () => {
  test("releasing an earlier registration does not clear the next one of the same node", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    const first = world.take(a, "x");
    const letGo = [0, 1].map((server) => world.keepRequests(a, server));
    world.outcome(world.release(a, first));
    for (const server of [0, 1]) {
      world.line(a, server).kept = undefined;
      world.breakLine(a, server);
    }
    const second = world.take(a, "x");
    for (const go of letGo) go();
    world.run(1_000);
    expect(world.holds(a, second)).toBe(true);
    expect(world.refused(world.acquire(b, "x"))).toMatchObject({ kind: "taken" });
  });

  test("confirming a name that was lost meanwhile confirms nothing", () => {
    const world = new Cast({ nodes: 3 });
    const [a, b, c] = [world.node(0), world.node(1), world.node(2)];
    // So that servers grant different tokens: 2 has not heard of the last ones.
    c.clock.stepWall(3_600_000);
    world.cut(c, 2);
    world.run(2 * TTL_MS);
    world.outcome(world.release(c, world.take(c, "x")));
    let letGo: (() => void)[] = [];
    world.passes = (node, _server, { request }) => {
      if (node === a && request.kind === "confirm" && letGo.length === 0) {
        letGo = [0, 1, 2].map((server) => world.keepRequests(a, server));
      }
      return true;
    };
    world.cut(a, 1);
    const asked = world.acquire(a, "x", { timeoutMs: 60_000 });
    world.run(100);
    expect(letGo).toHaveLength(3);
    a.pause();
    world.run(1.2 * TTL_MS);
    const grant = world.take(b, "x");
    for (const go of letGo) go();
    world.run(100);
    a.resume();
    expect(world.refused(asked)).toMatchObject({ kind: "taken" });
    expect(world.holds(b, grant)).toBe(true);
  });

  test("a vote that a server had to keep for later is given back as soon as it answers", () => {
    const world = new Cast();
    const [a, b] = [world.node(0), world.node(1)];
    world.servers[0]?.pause();
    world.servers[1]?.pause();
    world.refused(world.acquire(a, "x", { timeoutMs: 1_000 }));
    world.servers[0]?.resume();
    world.servers[1]?.resume();
    world.run(2_000);
    expect(world.take(b, "x")).toBeDefined();
  });
});
