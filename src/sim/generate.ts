import { SeededRandom } from "../kernel/random.ts";
import { Draw } from "./draw.ts";
import { type Fault, type Operation, type Plan, RESOLVERS } from "./plan.ts";
import {
  drawAssembly,
  drawCrowd,
  drawJams,
  drawMembers,
  drawSplit,
  drawWaiters,
  drawWatches,
} from "./workloads.ts";

type FaultKind = Fault["kind"];

/** Without these, nothing is lost and nobody is given up: names never clash. */
export const CALM: readonly FaultKind[] = ["depart", "restart", "clog", "drift", "step"];

const ROUGH: readonly FaultKind[] = [
  "cut",
  "deaf",
  "disconnect",
  "busRestart",
  "slowConsumer",
  "pause",
  "crash",
];

/** Long enough to be given up for, and a hiccup. */
const LONG_MS = [9_000, 12_000] as const;
const SHORT_MS = [50, 3_000] as const;

/** Draws a plan. Each part has a stream of its own, so that a new kind of operation leaves the faults as they were. */
export function generate(seed: string): Plan {
  const random = new SeededRandom(seed);
  const shape = new Draw(random.fork("shape"));
  const swarm = shape.fraction();
  const isCalm = swarm < 0.3;
  const isAll = swarm > 0.8;
  const kinds = [...CALM, ...(isCalm ? [] : ROUGH)].filter(() => isAll || shape.chance(0.5));
  const nodes = shape.between(2, 5);
  const restAtMs = isCalm ? shape.between(1_500, 4_000) : shape.between(12_000, 20_000);
  const slowest = shape.pick([2, 10, 50]);
  const common = {
    format: 1,
    seed,
    nodes,
    processes: shape.between(1, 3),
    delayMs: [0.1, slowest],
    turnMs: [0, shape.pick([0, 1, 5])],
    probeEveryMs: isCalm ? 250 : shape.pick([100, 250, 500]),
    resolver: shape.chance(0.3) ? "oldest" : shape.pick(RESOLVERS),
    resolverMs: [0, shape.pick([1, 100, 2_000])],
    restAtMs,
  } as const;
  const faults = drawFaults(new Draw(random.fork("faults")), kinds, isCalm, nodes, restAtMs);
  const operations = drawOperations(new Draw(random.fork("operations")), {
    nodes,
    processes: common.processes,
    restAtMs,
    isDense: isCalm,
  });
  const forSplit = new Draw(random.fork("split"));
  const split = isCalm || !forSplit.chance(0.4) ? undefined : drawSplit(forSplit, common);
  const crowd = drawCrowd(new Draw(random.fork("crowd")), common);
  const jams = isCalm ? drawJams(new Draw(random.fork("jams")), faults, common) : undefined;
  const forWaiters = new Draw(random.fork("waiters"));
  const timed = { ...common, slowestMs: slowest };
  const waiters = isCalm ? undefined : drawWaiters(forWaiters, timed);
  const disputes = drawDisputes(new Draw(random.fork("disputes")), nodes, common.processes, restAtMs);
  const bursts = drawBursts(new Draw(random.fork("bursts")), faults, timed);
  return {
    ...common,
    delayMs: [0.1, slowest],
    turnMs: [...common.turnMs],
    resolverMs: [...common.resolverMs],
    operations: [
      ...drawMembers(
        new Draw(random.fork("members")),
        drawWatches(new Draw(random.fork("watches")), operations, faults),
        common,
      ),
      ...drawAssembly(new Draw(random.fork("assembly")), common),
      ...(split?.operations ?? []),
      ...crowd,
      ...(waiters?.operations ?? []),
      ...disputes,
      ...bursts,
      ...(jams?.operations ?? []),
      ...drawMessages(new Draw(random.fork("messages")), { ...common, isDense: isCalm }),
    ].sort(byTime),
    faults: [
      ...faults,
      ...(split?.faults ?? []),
      ...(jams?.faults ?? []),
      ...(waiters?.faults ?? []),
      ...drawRepeats(new Draw(random.fork("repeats")), nodes, restAtMs),
    ].sort(byTime),
  };
}

export function byTime(left: { readonly atMs: number }, right: { readonly atMs: number }): number {
  return left.atMs - right.atMs;
}

function drawFaults(
  draw: Draw,
  kinds: readonly FaultKind[],
  isCalm: boolean,
  nodes: number,
  restAtMs: number,
): Fault[] {
  if (kinds.length === 0) return [];
  const count = draw.between(1, isCalm ? 8 : 6);
  return Array.from({ length: count }, () =>
    drawFault(draw, draw.pick(kinds), isCalm, nodes, restAtMs),
  ).flat();
}

function drawFault(draw: Draw, kind: FaultKind, isCalm: boolean, nodes: number, restAtMs: number): Fault[] {
  const node = draw.between(0, nodes - 1);
  const other = (node + draw.between(1, nodes - 1)) % nodes;
  const atMs = draw.between(400, restAtMs - 200);
  const most = restAtMs - atMs;
  const lasting = (range: readonly [number, number]): number => Math.min(most, draw.time(range));
  const longOrShort = (): number => lasting(draw.chance(0.5) ? LONG_MS : SHORT_MS);
  switch (kind) {
    case "cut":
      return [
        { kind, atMs, forMs: longOrShort(), sides: drawSides(draw, nodes), blackHole: draw.chance(0.4) },
      ];
    case "deaf":
      return [{ kind, atMs, forMs: longOrShort(), from: node, to: other }];
    case "clog":
      return [
        {
          kind,
          atMs,
          forMs: lasting([100, 2_000]),
          from: node,
          to: other,
          byMs: draw.between(5, isCalm ? 200 : 1_000),
        },
      ];
    case "disconnect":
      return [
        { kind, atMs, forMs: longOrShort(), node, noticeMs: draw.chance(0.5) ? 0 : draw.between(1, 2_000) },
      ];
    case "busRestart":
      return [{ kind, atMs, forMs: lasting([50, 6_000]), spreadMs: draw.between(0, 500) }];
    case "slowConsumer":
      return [{ kind, atMs, node, forMs: lasting([10, 400]) }];
    case "pause":
      return [{ kind, atMs, forMs: longOrShort(), node }];
    case "crash":
      return draw.chance(0.5)
        ? [{ kind, atMs, node }]
        : [
            { kind, atMs, node },
            { kind: "restart", atMs: Math.min(restAtMs, atMs + draw.between(0, 3_000)), node },
          ];
    case "restart":
      return drawComing(draw, isCalm, nodes, restAtMs, atMs, node);
    case "depart":
      return draw.chance(0.5)
        ? [{ kind, atMs, node }]
        : [
            { kind, atMs, node },
            { kind: "restart", atMs: Math.min(restAtMs, atMs + draw.between(1_200, 2_500)), node },
          ];
    case "drift":
      return [
        {
          kind,
          atMs,
          forMs: lasting([200, 8_000]),
          node,
          rate: 1 + (draw.fraction() - 0.5) * (isCalm ? 0.02 : 0.2),
        },
      ];
    case "repeat":
      return [{ kind, atMs, forMs: lasting([100, 5_000]), from: node, to: other }];
    case "step":
      return [{ kind, atMs, node, byMs: draw.between(-30_000, 30_000) }];
  }
}

/** A newcomer at a place of its own; or, in rough weather, one that takes the place of a node that still runs. */
function drawComing(
  draw: Draw,
  isCalm: boolean,
  nodes: number,
  restAtMs: number,
  atMs: number,
  node: number,
): Fault[] {
  if (!isCalm && draw.chance(0.3)) return [{ kind: "restart", atMs, node }];
  const place = nodes + draw.between(0, 2);
  const coming: Fault = { kind: "restart", atMs, node: place };
  if (draw.chance(0.5)) return [coming];
  return [coming, { kind: "depart", atMs: Math.min(restAtMs, atMs + draw.between(300, 3_000)), node: place }];
}

function drawSides(draw: Draw, nodes: number): number[][] {
  const sides: number[][] = draw.chance(0.75) ? [[], []] : [[], [], []];
  for (let place = 0; place < nodes + 3; place += 1)
    (sides[draw.between(0, sides.length - 1)] ?? []).push(place);
  return sides.filter((side) => side.length > 0);
}

interface Stage {
  readonly nodes: number;
  readonly processes: number;
  readonly restAtMs: number;
  readonly isDense: boolean;
}

function drawOperations(draw: Draw, stage: Stage): Operation[] {
  const count = draw.between(15, stage.isDense ? 80 : 60);
  const names = ["x", "y", "z", "w"].slice(0, draw.between(1, 4));
  const groups = ["g", "h"].slice(0, draw.between(1, 2));
  return Array.from({ length: count }, () => drawOperation(draw, stage, names, groups));
}

/** Several ask for the same names just when something happens: while a node comes or goes, and before an answer is lost. */
function drawBursts(
  draw: Draw,
  faults: readonly Fault[],
  { nodes, processes, restAtMs, slowestMs }: Omit<Stage, "isDense"> & { readonly slowestMs: number },
): Operation[] {
  const operations: Operation[] = [];
  for (const [index, fault] of faults.entries()) {
    if (fault.kind === "drift" || fault.kind === "step" || draw.chance(0.4)) continue;
    // Who comes or goes agrees with the others in a few rounds, on which a claim may fall.
    const isMove = fault.kind === "restart" || fault.kind === "depart";
    const names = isMove ? draw.between(3, 8) : 1;
    for (let name = 0; name < names; name += 1) {
      const fromMs = fault.atMs + (isMove ? draw.between(0, 8 * slowestMs) : draw.between(-30, 10));
      for (let racer = draw.between(2, 3); racer > 0; racer -= 1) {
        const node = draw.between(0, nodes - 1);
        const owner = draw.chance(isMove ? 0.9 : 0.5) ? node : draw.between(0, nodes - 1);
        const process = draw.between(0, processes - 1);
        const atMs = Math.min(restAtMs, fromMs + draw.between(0, slowestMs));
        operations.push({ kind: "register", atMs, node, name: `b${index}.${name}`, owner, process });
      }
    }
  }
  return operations;
}

/** Within one node a name passes from one process to the next, while another node unregisters it for the first. */
function drawDisputes(draw: Draw, nodes: number, processes: number, restAtMs: number): Operation[] {
  if (processes < 2 || draw.chance(0.7)) return [];
  const owner = draw.between(0, nodes - 1);
  const node = (owner + draw.between(1, nodes - 1)) % nodes;
  const name = draw.pick(["x", "y", "own"]);
  const atMs = draw.between(350, restAtMs - 600);
  const laterMs = atMs + 500;
  return [
    { kind: "register", atMs, node: owner, name, owner, process: 0 },
    { kind: "takeover", atMs: laterMs + draw.between(0, 20), node: owner, name, owner, process: 1 },
    { kind: "unregister", atMs: laterMs + draw.between(0, 20), node, name, of: { owner, process: 0 } },
  ];
}

function drawOperation(
  draw: Draw,
  { nodes, processes, restAtMs }: Stage,
  names: readonly string[],
  groups: readonly string[],
): Operation {
  const atMs = draw.between(350, restAtMs);
  // Newcomers take part too.
  const node = draw.between(0, draw.chance(0.2) ? nodes + 2 : nodes - 1);
  const owner = draw.between(0, draw.chance(0.2) ? nodes + 2 : nodes - 1);
  const process = draw.between(0, processes - 1);
  const name = draw.pick(names);
  const group = draw.pick(groups);
  const kind = draw.fraction();
  if (kind < 0.3)
    return { kind: "register", atMs, node, name, owner: draw.chance(0.7) ? node : owner, process };
  if (kind < 0.38) return { kind: "takeover", atMs, node, name, owner, process };
  if (kind < 0.46) return { kind: "transfer", atMs, node, name, owner, process };
  if (kind < 0.52) return { kind: "unregister", atMs, node, name };
  if (kind < 0.56) return { kind: "unregister", atMs, node, name, of: { owner, process } };
  if (kind < 0.62) return { kind: "update", atMs, node, name, meta: draw.between(0, 9) };
  if (kind < 0.68) return { kind: "exit", atMs, node, process };
  if (kind < 0.8) return { kind: "join", atMs, node, group, process, meta: draw.between(0, 3) };
  if (kind < 0.88) return { kind: "leave", atMs, node, group, process };
  if (kind < 0.97) {
    return {
      kind: "monitor",
      atMs,
      node,
      owner,
      process,
      forMs: draw.chance(0.3) ? draw.between(1, 5_000) : 0,
    };
  }
  return { kind: "monitorNode", atMs, node, watched: owner };
}

function drawMessages(draw: Draw, { nodes, processes, restAtMs }: Stage): Operation[] {
  return Array.from({ length: draw.between(0, 40) }, (): Operation => {
    const common = {
      atMs: draw.between(350, restAtMs),
      node: draw.between(0, nodes - 1),
      process: draw.between(0, processes - 1),
      times: draw.between(1, draw.chance(0.2) ? 20 : 3),
    };
    const owner = draw.between(0, nodes - 1);
    const process = draw.between(0, processes - 1);
    const kind = draw.fraction();
    const text = draw.fraction();
    if (kind < 0.4) return { ...common, kind: "publish", group: text < 0.5 ? "g" : "h" };
    const how = kind < 0.75 ? "send" : "call";
    return { ...common, kind: "say", how, to: text < 0.7 ? { owner, process } : { name: "x" } };
  });
}

function drawRepeats(draw: Draw, nodes: number, restAtMs: number): Fault[] {
  if (!draw.chance(0.25)) return [];
  return Array.from({ length: draw.between(1, 3) }, () =>
    drawFault(draw, "repeat", false, nodes, restAtMs),
  ).flat();
}
