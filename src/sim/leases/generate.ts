import { type Random, SeededRandom } from "../../kernel/random.ts";
import type { LeaseSettings } from "../../lease/settings.ts";
import { LEASES } from "../any-plan.ts";
import { Draw } from "../draw.ts";
import type { LeaseFault, LeaseOperation, LeasePlan } from "./plan.ts";
import { type Deeds, type Shape, STORIES } from "./stories.ts";

/** Short, so that many ttls go by in one run. */
const SETTINGS: LeaseSettings = { ttlMs: 1_000, clockRateBound: 0.02, serverStepMs: 40 };
const NAMES = ["x", "y", "z"];
/** A server that has lost its data is to be well again before another one does: longer than it keeps out. */
const BETWEEN_LOSSES_MS = 2_600;

/** In so many plans one of the stories is told, and little else happens. */
const STORIES_IN = 0.2;

export function generateLeases(seed: string): LeasePlan {
  const random = new SeededRandom(`leases ${seed}`);
  const shape = new Draw(random.fork("shape"));
  const servers = shape.pick([3, 3, 3, 5]);
  const nodes = shape.between(2, 4);
  const isStory = shape.chance(STORIES_IN);
  const areClocksSound = isStory || shape.chance(0.8);
  const restAtMs = shape.between(4_000, 12_000);
  const common = { servers, nodes, restAtMs };
  const deeds = isStory
    ? drawStory(new Draw(random.fork("story")), common)
    : drawDeeds(random, shape, common, areClocksSound);
  return {
    format: 1,
    workload: LEASES,
    ...{ seed, servers, nodes, areClocksSound, restAtMs, settings: SETTINGS },
    delayMs: [0.1, shape.pick(isStory ? [1, 5] : [1, 5, 20, 40])],
    operations: deeds.operations.sort((left, right) => left.atMs - right.atMs),
    faults: deeds.faults,
  };
}

function drawDeeds(random: Random, shape: Draw, common: Shape, areClocksSound: boolean): Deeds {
  const draw = new Draw(random.fork("faults"));
  const kinds = KINDS.filter(() => shape.chance(0.45));
  const faults = Array.from({ length: shape.between(0, 14) }, () =>
    drawFault(draw, kinds, common, areClocksSound),
  );
  const losses = shape.chance(0.5) ? drawLosses(new Draw(random.fork("losses")), common) : [];
  const names = NAMES.slice(0, shape.between(1, NAMES.length));
  const race = drawRace(new Draw(random.fork("race")), losses, names, common);
  const slow = areClocksSound ? [] : drawSlowClock(new Draw(random.fork("clock")), names, common);
  const operations = drawOperations(new Draw(random.fork("operations")), common, names, [10, 60]);
  return {
    operations: [...operations, ...race.operations, ...slow.filter(isOperation)],
    faults: [...faults.flat(), ...losses, ...race.faults, ...slow.filter(isFault)],
  };
}

function drawStory(draw: Draw, common: Shape): Deeds {
  const { faults, operations } = draw.pick(STORIES)(draw, common, SETTINGS);
  const besides = Array.from({ length: draw.between(0, 2) }, () => drawFault(draw, KINDS, common, true));
  return {
    operations: [...operations, ...drawOperations(draw, common, NAMES, [0, 5])],
    faults: [...faults, ...besides.flat()],
  };
}

const KINDS = [
  ...["cut", "mute", "late", "slow", "break", "pause", "crash", "suspend", "deaf"],
  ...["serverPause", "serverStep", "step", "drift", "isolate", "fade"],
] as const;

function drawOperations(
  draw: Draw,
  { nodes, restAtMs }: Shape,
  names: readonly string[],
  [least, most]: readonly [number, number],
): LeaseOperation[] {
  return Array.from({ length: draw.between(least, most) }, (): LeaseOperation => {
    const common = {
      atMs: draw.between(0, restAtMs),
      node: draw.between(0, nodes - 1),
      name: draw.pick(names),
      timeoutMs: draw.between(50, 3_000),
    };
    if (draw.chance(0.4)) return { ...common, kind: "lookup" };
    const holdMs = draw.chance(0.3) ? 100_000 : draw.between(1, 2_000);
    return { ...common, kind: "acquire", wait: draw.chance(0.5), holdMs };
  });
}

function drawFault(
  draw: Draw,
  kinds: readonly (typeof KINDS)[number][],
  { nodes, restAtMs, servers }: Shape,
  areClocksSound: boolean,
): LeaseFault[] {
  if (kinds.length === 0) return [];
  const { clockRateBound: bound, serverStepMs, ttlMs } = SETTINGS;
  const kind = draw.pick(kinds);
  const [node, other, server] = [
    draw.between(0, nodes - 1),
    draw.between(0, nodes - 1),
    draw.between(0, servers - 1),
  ];
  const at = { atMs: draw.between(0, restAtMs), forMs: draw.between(10, draw.pick([200, 1_500, 4_000])) };
  switch (kind) {
    case "cut":
    case "mute":
    case "late":
    case "break":
      return [{ kind, ...at, node, server }];
    case "slow":
      return [{ kind, ...at, node, server, byMs: draw.between(5, 150) }];
    case "pause":
    case "crash":
    case "suspend":
      return [{ kind, ...at, node }];
    case "deaf":
      return [{ kind, ...at, node, other }];
    case "serverPause":
      return [{ kind, ...at, server }];
    case "isolate":
      return Array.from(
        { length: servers },
        (_, index): LeaseFault => ({ kind: "cut", ...at, node, server: index }),
      );
    // Farther and farther away, and gone.
    case "fade": {
      const goneMs = at.atMs + draw.between(300, 900);
      return Array.from({ length: servers }, (_, index): LeaseFault[] => [
        { kind: "slow", atMs: at.atMs, forMs: 2_500, node, server: index, byMs: draw.between(80, 200) },
        { kind: "cut", atMs: goneMs, forMs: 1_600, node, server: index },
      ]).flat();
    }
    case "step":
      return [{ kind, ...at, node, byMs: draw.between(-5_000, 5_000) }];
    case "serverStep": {
      // Ahead by what is allowed for, or by so much that it is noticed; back by anything.
      const byMs = draw.pick([
        draw.between(1, serverStepMs),
        draw.between(ttlMs / 2 + 1, 3 * ttlMs),
        -draw.between(1, 3 * ttlMs),
      ]);
      return [{ kind, ...at, server, byMs }];
    }
    case "drift": {
      const most = areClocksSound ? bound / 2 : 0.6;
      return [{ kind, ...at, forMs: 100_000, node, rate: 1 + (2 * draw.fraction() - 1) * most }];
    }
  }
}

/** No more than a minority within the time that one keeps out. */
function drawLosses(draw: Draw, { restAtMs, servers }: Shape): LeaseFault[] {
  const losses: LeaseFault[] = [];
  const minority = (servers - 1) / 2;
  for (
    let atMs = draw.between(0, 2_000);
    atMs < restAtMs;
    atMs += BETWEEN_LOSSES_MS + draw.between(0, 1_500)
  ) {
    const first = draw.between(0, servers - 1);
    for (let index = 0; index < draw.between(1, minority); index += 1) {
      const data = draw.pick(["kept", "older", "lost", "wiped"] as const);
      losses.push({ kind: "restart", atMs, forMs: 0, server: (first + index) % servers, data });
    }
  }
  return losses;
}

/** A holder whose clock is far too slow is cut off, and somebody else waits for its name. */
function drawSlowClock(
  draw: Draw,
  names: readonly string[],
  { restAtMs, servers }: Shape,
): readonly (LeaseOperation | LeaseFault)[] {
  const atMs = draw.between(600, restAtMs);
  const common = { name: draw.pick(names), timeoutMs: 3_000, wait: true } as const;
  return [
    { kind: "drift", atMs: 0, forMs: 100_000, node: 0, rate: 0.4 + draw.fraction() * 0.4 },
    { kind: "acquire", ...common, atMs: atMs - 500, node: 0, holdMs: 100_000 },
    { kind: "acquire", ...common, atMs, node: 1, holdMs: 2_000 },
    ...Array.from(
      { length: servers },
      (_, server) => ({ kind: "cut", atMs, forMs: 3_000, node: 0, server }) as const,
    ),
  ];
}

function isOperation(each: LeaseOperation | LeaseFault): each is LeaseOperation {
  return "timeoutMs" in each;
}

function isFault(each: LeaseOperation | LeaseFault): each is LeaseFault {
  return !isOperation(each);
}

/**
 * A name is asked for just when a server is about to forget, and another is slow to hear of it; later that other one is away. Left
 * to chance alone this is rare, and all that tokens stand on when servers forget is about it.
 */
function drawRace(
  draw: Draw,
  losses: readonly LeaseFault[],
  names: readonly string[],
  { nodes, servers }: Shape,
): Deeds {
  const operations: LeaseOperation[] = [];
  const faults: LeaseFault[] = [];
  for (const loss of losses) {
    if (!("server" in loss) || draw.chance(0.4)) continue;
    const { atMs } = loss;
    const node = draw.between(0, nodes - 1);
    const name = draw.pick(names);
    const server = (loss.server + draw.between(1, servers - 1)) % servers;
    const slowMs = draw.between(20, 150);
    const beganMs = Math.max(0, atMs - draw.between(1, slowMs));
    faults.push({
      kind: "slow",
      atMs: Math.max(0, beganMs - 5),
      forMs: slowMs * 2,
      node,
      server,
      byMs: slowMs,
    });
    // The rest hear nothing of it at first: the token is on these two servers alone.
    for (let third = 0; third < servers; third += 1) {
      if (third === server || third === loss.server || draw.chance(0.3)) continue;
      faults.push({
        kind: "cut",
        atMs: Math.max(0, beganMs - 20),
        forMs: draw.between(100, 1_500),
        node,
        server: third,
      });
    }
    const common = { node, name, timeoutMs: 1_000, wait: false } as const;
    operations.push({ kind: "acquire", ...common, atMs: beganMs, holdMs: draw.between(50, 900) });
    const laterMs = atMs + SETTINGS.ttlMs + draw.between(50, 600);
    for (let other = 0; other < nodes; other += 1) {
      faults.push({ kind: "cut", atMs: laterMs, forMs: 700, node: other, server });
    }
    const next = draw.between(0, nodes - 1);
    operations.push({
      kind: "acquire",
      ...common,
      node: next,
      atMs: laterMs + draw.between(20, 500),
      holdMs: 50,
    });
  }
  return { operations, faults };
}
