import { describe, expect, test } from "vitest";
import type { SimLeaseNode } from "../../../src/sim/leases/node.ts";
import { Cast } from "./cast.ts";

const TTL_MS = 10_000;
/** How long servers keep out with the defaults. */
const GUARD_MS = 10_350;

/** A node on servers of which all keep out. */
const beginnings: readonly (readonly [string, (world: Cast) => SimLeaseNode])[] = [
  [
    "were left alone",
    (world) => {
      const earlier = world.start();
      world.take(earlier, "x");
      earlier.crash();
      world.run(2 * TTL_MS);
      return world.start();
    },
  ],
  [
    "were just started",
    (world) => {
      for (const server of world.servers.keys()) world.restart(server, "lost");
      return world.start();
    },
  ],
];

describe("servers that answer and keep out", () => {
  test.each(beginnings)("are waited for by a command that has the time: those that %s", (_, begin) => {
    const world = new Cast({ nodes: 0 });
    const node = begin(world);
    const beganMs = world.nowMs;
    const asked = [
      world.acquire(node, "y", { timeoutMs: 1.5 * TTL_MS }),
      world.acquire(node, "z", { timeoutMs: 1.5 * TTL_MS, wait: true }),
      world.lookup(node, "y", 1.5 * TTL_MS),
    ];
    for (const each of asked) {
      world.run(1.5 * TTL_MS, () => each.outcome !== undefined);
      expect(each.outcome?.kind).toMatch(/granted|found/);
      expect(each.endedMs - beganMs).toBeGreaterThanOrEqual(TTL_MS);
      expect(each.endedMs - beganMs).toBeLessThan(GUARD_MS + 500);
    }
  });

  test.each(beginnings)("are told of at once to one that has not: those that %s", (_, begin) => {
    const world = new Cast({ nodes: 0 });
    const node = begin(world);
    const beganMs = world.nowMs;
    for (const asked of [world.acquire(node, "y"), world.lookup(node, "y")]) {
      const refusal = world.refused(asked);
      expect(refusal).toMatchObject({ kind: "noQuorum", reached: 0, needed: 2, keptOut: 3 });
      const { keptOutMs } = refusal as { keptOutMs: number };
      expect(Math.abs(beganMs + GUARD_MS - asked.endedMs - keptOutMs)).toBeLessThan(100);
      expect(asked.endedMs - beganMs).toBeLessThan(TTL_MS / 2);
    }
  });

  test("are not waited for when they would be too few all the same", () => {
    const world = new Cast();
    const a = world.node(0);
    world.take(a, "x");
    world.restart(0, "kept");
    world.cut(a, 1);
    world.cut(a, 2);
    world.run(TTL_MS / 3);
    const beganMs = world.nowMs;
    const asked = world.acquire(a, "y", { timeoutMs: 60_000 });
    expect(world.refused(asked)).toMatchObject({ kind: "noQuorum", keptOut: 1 });
    expect(asked.endedMs - beganMs).toBeLessThan(TTL_MS / 2);
  });

  test("are not waited for any longer than the time that they told: what they have forgotten may never come back", () => {
    const world = new Cast();
    const a = world.node(0);
    world.take(a, "x");
    for (const server of [0, 1]) world.restart(server, "lost");
    const first = world.acquire(a, "y", { timeoutMs: 60_000 });
    const beganMs = world.nowMs;
    expect(world.refused(first)).toMatchObject({ kind: "noQuorum", reached: 1, keptOut: 2, keptOutMs: 0 });
    expect(first.endedMs - beganMs).toBeLessThan(GUARD_MS + TTL_MS / 2);
    const laterMs = world.nowMs;
    const second = world.acquire(a, "y", { timeoutMs: 60_000 });
    expect(world.refused(second)).toMatchObject({ kind: "noQuorum", keptOut: 2, keptOutMs: 0 });
    expect(second.endedMs - laterMs).toBeLessThan(TTL_MS / 2);
  });
});
