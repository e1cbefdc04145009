import type { Draw } from "./draw.ts";
import type { Fault, Operation, Plan } from "./plan.ts";

type Shape = Pick<Plan, "nodes" | "processes" | "restAtMs">;

/** How long after a heal clashes are still being decided. */
const DECIDING_MS = 800;

/**
 * A long cut in which each side registers the same names. Left to chance alone that is rare, and most rules about clashes are
 * about what goes wrong while one is decided: so half of these are disturbed again just after the heal.
 */
export function drawSplit(
  draw: Draw,
  shape: Shape,
): { readonly operations: Operation[]; readonly faults: Fault[] } {
  const { nodes, restAtMs } = shape;
  const count = draw.chance(0.6) || nodes < 3 ? 2 : 3;
  const sides: number[][] = Array.from({ length: count }, () => []);
  const turn = draw.between(0, nodes - 1);
  for (let index = 0; index < nodes + 3; index += 1) {
    // Nobody is left alone with an empty side; newcomers go where they fall.
    const side = index < count ? index : draw.between(0, count - 1);
    (sides[side] ?? []).push(index < nodes ? (index + turn) % nodes : index);
  }
  const atMs = draw.between(600, 2_500);
  const healedAtMs = Math.min(restAtMs - 2_500, atMs + draw.between(5_500, 12_000));
  const cut: Fault = { kind: "cut", atMs, forMs: healedAtMs - atMs, sides, blackHole: draw.chance(0.4) };
  const names = ["x", "y", "z", "w"].slice(0, draw.between(1, 4));
  const operations = names.flatMap((name) =>
    sides.map((side) => drawClaim(draw, shape, name, side, [atMs + 50, healedAtMs - 50])),
  );
  const faults = draw.chance(0.5) ? [cut, ...drawTrouble(draw, shape, healedAtMs)] : [cut];
  return { operations, faults };
}

function drawClaim(
  draw: Draw,
  { nodes, processes }: Shape,
  name: string,
  side: readonly number[],
  within: readonly [number, number],
): Operation {
  const there = side.filter((place) => place < nodes);
  const node = draw.pick(there);
  const owner = draw.chance(0.7) ? node : draw.pick(there);
  const process = draw.between(0, processes - 1);
  return { kind: "register", atMs: draw.between(...within), node, name, owner, process };
}

/** Whoever decides, or is asked to promise, goes away or is cut off at that. */
function drawTrouble(draw: Draw, shape: Shape, healedAtMs: number): Fault[] {
  return Array.from({ length: draw.between(1, 3) }, () => drawOneTrouble(draw, shape, healedAtMs));
}

function drawOneTrouble(draw: Draw, { nodes, restAtMs }: Shape, healedAtMs: number): Fault {
  const atMs = healedAtMs + draw.between(0, DECIDING_MS);
  const node = draw.between(0, nodes - 1);
  const forMs = Math.min(restAtMs - atMs, draw.between(200, 4_000));
  const link = { from: node, to: (node + 1) % nodes };
  switch (draw.pick(["crash", "pause", "deaf", "disconnect", "clog"] as const)) {
    case "crash":
      return { kind: "crash", atMs, node };
    case "pause":
      return { kind: "pause", atMs, forMs, node };
    case "deaf":
      return { kind: "deaf", atMs, forMs, ...link };
    case "clog":
      return { kind: "clog", atMs, forMs, ...link, byMs: draw.between(50, 1_000) };
    case "disconnect":
      return { kind: "disconnect", atMs, forMs, node, noticeMs: draw.chance(0.5) ? 0 : draw.between(1, 500) };
  }
}

/** So many groups that a snapshot needs several messages, for whoever comes later. Rarely: they cost as much as ten runs. */
export function drawCrowd(draw: Draw, { nodes, restAtMs }: Shape): Operation[] {
  if (!draw.chance(0.01)) return [];
  const atMs = draw.between(400, Math.floor(restAtMs / 2));
  return [
    { kind: "crowd", atMs, node: draw.between(0, nodes - 1), process: 0, groups: draw.between(1_050, 2_100) },
  ];
}
