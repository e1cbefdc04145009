import type { Draw } from "./draw.ts";
import type { Fault, Operation, Plan } from "./plan.ts";

type Shape = Pick<Plan, "nodes" | "processes" | "restAtMs">;

/** More, and a newcomer may hear nobody for so long that it begins alone. */
const MOST_JAMMED_MS = 90;

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

/**
 * A node comes or goes while what one says to another takes long, and while that one and a third ask for the same names: so that
 * what the first asked of the former arbiter, or wrote, is under way still when the next arbiter is asked.
 */
export function drawJams(
  draw: Draw,
  moves: readonly Fault[],
  { nodes, processes, restAtMs }: Shape,
): { readonly operations: Operation[]; readonly faults: Fault[] } {
  const operations: Operation[] = [];
  const faults: Fault[] = [];
  for (const [index, move] of moves.entries()) {
    if ((move.kind !== "restart" && move.kind !== "depart") || draw.chance(0.3)) continue;
    const from = draw.between(0, nodes - 1);
    const to = (from + draw.between(1, nodes - 1)) % nodes;
    const jamAtMs = Math.max(0, move.atMs - draw.between(30, 60));
    const forMs = Math.min(restAtMs - jamAtMs, draw.between(150, 500));
    faults.push({ kind: "clog", atMs: jamAtMs, forMs, from, to, byMs: draw.between(30, MOST_JAMMED_MS) });
    for (let name = draw.between(4, 10); name > 0; name -= 1) {
      const other = (from + draw.between(1, nodes - 1)) % nodes;
      const atMs = Math.min(restAtMs, move.atMs + draw.between(-25, 40));
      const laterMs = Math.min(restAtMs, atMs + draw.between(0, 80));
      const process = draw.between(0, processes - 1);
      const common = { kind: "register", name: `j${index}.${name}`, process } as const;
      operations.push({ ...common, atMs, node: from, owner: from });
      operations.push({ ...common, atMs: laterMs, node: other, owner: other });
    }
  }
  return { operations, faults };
}

/**
 * One asks for names and stands still before it can write them; another, which wants to have them from it, waits, and crashes.
 * Whoever gives the names out must not keep them for that one.
 */
export function drawWaiters(
  draw: Draw,
  { nodes, processes, restAtMs, slowestMs }: Shape & { readonly slowestMs: number },
): { readonly operations: Operation[]; readonly faults: Fault[] } {
  if (nodes < 3 || !draw.chance(0.1)) return { operations: [], faults: [] };
  const first = draw.between(0, nodes - 1);
  const second = (first + draw.between(1, nodes - 1)) % nodes;
  const atMs = draw.between(600, restAtMs - 6_000);
  const operations = Array.from({ length: draw.between(3, 8) }, (_, index): Operation[] => {
    const common = { name: `w${index}`, process: draw.between(0, processes - 1) } as const;
    const laterMs = atMs + draw.between(slowestMs, slowestMs + 300);
    return [
      { kind: "register", atMs, node: first, owner: first, ...common },
      { kind: "takeover", atMs: laterMs, node: second, owner: second, ...common },
    ];
  }).flat();
  const pausedAtMs = atMs + draw.fraction() * slowestMs;
  return {
    operations,
    faults: [
      { kind: "pause", atMs: pausedAtMs, forMs: draw.between(3_000, 6_000), node: first },
      { kind: "crash", atMs: atMs + slowestMs + draw.between(300, 900), node: second },
    ],
  };
}

/** So many groups that a snapshot needs several messages, for whoever comes later. Rarely: they cost as much as ten runs. */
export function drawCrowd(draw: Draw, { nodes, restAtMs }: Shape): Operation[] {
  if (!draw.chance(0.01)) return [];
  const atMs = draw.between(400, Math.floor(restAtMs / 2));
  return [
    { kind: "crowd", atMs, node: draw.between(0, nodes - 1), process: 0, groups: draw.between(1_050, 2_100) },
  ];
}

/**
 * What is particular about groups: several processes join in one call, one of them more than once; a member joins again without
 * saying anything of itself; and its metadata changes.
 */
export function drawMembers(
  draw: Draw,
  operations: readonly Operation[],
  { processes, restAtMs }: Shape,
): Operation[] {
  return operations.flatMap((operation): Operation[] => {
    if (operation.kind !== "join" && operation.kind !== "leave") return [operation];
    const several = draw.chance(0.35)
      ? Array.from({ length: draw.between(1, 2) }, () => draw.between(0, processes - 1))
      : undefined;
    const isSilent = draw.chance(0.3);
    const isUpdated = draw.chance(0.4);
    const laterMs = operation.atMs + draw.between(1, 2_000);
    const meta = draw.between(4, 9);
    const told: Operation =
      operation.kind === "leave" || !isSilent
        ? { ...operation, with: several }
        : { ...operation, with: several, meta: undefined };
    if (operation.kind === "leave" || !isUpdated || laterMs > restAtMs) return [told];
    const { node, group, process } = operation;
    return [told, { kind: "updateMember", atMs: laterMs, node, group, process, meta }];
  });
}

/** Some monitors are of who has ended already, some of nodes are cancelled, and some are while nobody hears of it. */
export function drawWatches(
  draw: Draw,
  operations: readonly Operation[],
  faults: readonly Fault[],
): Operation[] {
  const lost = faults.filter((fault) => fault.kind === "deaf" || fault.kind === "disconnect");
  return operations.map((operation): Operation => {
    if (operation.kind === "monitor") {
      const told = { ...operation, former: draw.chance(0.25) };
      const fault = lost.find(({ atMs }) => atMs > operation.atMs);
      return fault === undefined || draw.chance(0.3) ? told : { ...told, ...duringLoss(draw, told, fault) };
    }
    if (operation.kind !== "monitorNode" || draw.chance(0.5)) return operation;
    return { ...operation, forMs: draw.between(1, 5_000) };
  });
}

/** It is cancelled while that is lost on its way. */
function duringLoss(
  draw: Draw,
  { atMs, owner }: { readonly atMs: number; readonly owner: number },
  fault: Extract<Fault, { kind: "deaf" | "disconnect" }>,
) {
  const forMs = fault.atMs - atMs + draw.between(1, Math.max(1, fault.forMs - 1));
  return fault.kind === "deaf"
    ? { forMs, node: fault.from, owner: fault.to }
    : { forMs, node: fault.node, owner };
}

/** A group of more members than are kept in a list, from all nodes; some leave it again, one by one. */
export function drawAssembly(draw: Draw, { nodes, processes, restAtMs }: Shape): Operation[] {
  const group = "all";
  const isLarge = nodes * processes > 8;
  if (!isLarge || !draw.chance(0.35)) return [];
  const fromMs = draw.between(350, restAtMs - 1_000);
  const everybody = Array.from({ length: processes }, (_, process) => process);
  const joins = Array.from({ length: nodes }, (_, node): Operation => {
    const atMs = fromMs + draw.between(0, 400);
    return { kind: "join", atMs, node, group, process: draw.between(0, processes - 1), with: everybody };
  });
  const leaves = Array.from({ length: draw.between(2, 2 * nodes) }, (): Operation => {
    const atMs = fromMs + draw.between(400, 1_000);
    const node = draw.between(0, nodes - 1);
    return { kind: "leave", atMs, node, group, process: draw.between(0, processes - 1) };
  });
  return [...joins, ...leaves];
}
