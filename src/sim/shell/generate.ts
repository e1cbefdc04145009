import { SeededRandom } from "../../kernel/random.ts";
import { isCalm } from "../calm.ts";
import { Draw } from "../draw.ts";
import { byTime, generate } from "../generate.ts";
import { type Fault, HEARERS, type Operation, type Plan } from "../plan.ts";
import { drawSplit } from "../workloads.ts";

/** Where processes are present, and what they subscribe to; all nodes watch all of the former. */
export const TOPICS = ["room", "hall"] as const;

/** How long passes between two owners of a name at most: several claims under way at once, and an owner that knows it is one. */
const STEP_MS = 300;

/**
 * Draws a plan for whole nodes. They are run a hundred times more seldom than machines, so what most of their own work is about
 * must not be rare: names that clash, and names that pass from hand to hand while processes send to them. What the plan is made
 * of besides comes from the same streams as for machines.
 */
export function generateForShells(seed: string): Plan {
  const plan = generate(seed);
  const random = new SeededRandom(seed).fork("shells");
  const hasCut = plan.faults.some(({ kind }) => kind === "cut");
  const split = isCalm(plan) || hasCut ? undefined : drawSplit(new Draw(random.fork("split")), plan);
  const presences = drawPresences(new Draw(random.fork("presences")), plan);
  const relays = drawRelays(new Draw(random.fork("relays")), plan, plan.faults);
  const talks = drawTalks(new Draw(random.fork("talks")), plan);
  return {
    ...plan,
    operations: [...plan.operations, ...(split?.operations ?? []), ...relays, ...presences, ...talks].sort(
      byTime,
    ),
    faults: [...plan.faults, ...(split?.faults ?? [])].sort(byTime),
  };
}

/** Some processes come, change and go in a few topics, under few keys: so that several stand under one, and one under several. */
function drawPresences(draw: Draw, { nodes, processes, restAtMs }: Plan): Operation[] {
  if (draw.chance(0.4)) return [];
  return Array.from(
    { length: draw.between(5, 40) },
    (): Operation => ({
      kind: "present",
      atMs: draw.between(400, restAtMs),
      node: draw.between(0, nodes + 1),
      process: draw.between(0, processes - 1),
      topic: draw.pick(TOPICS),
      key: draw.pick(["ann", "bob", "cid"]),
      how: draw.pick(["track", "track", "update", "untrack"] as const),
      meta: draw.between(0, 1_000),
    }),
  );
}

/** Processes and listeners come to topics and go, while others speak there: now and then more at once than a slow one can take. */
function drawTalks(draw: Draw, { nodes, processes, restAtMs }: Plan): Operation[] {
  if (draw.chance(0.4)) return [];
  const common = (fromMs = 400) => ({
    atMs: draw.between(fromMs, restAtMs),
    node: draw.between(0, nodes + 1),
    process: draw.between(0, processes - 1),
    topic: draw.pick(TOPICS),
  });
  const comings = Array.from({ length: draw.between(4, 20) }, () => ({
    kind: "subscribe" as const,
    ...common(),
    as: draw.pick(HEARERS),
  }));
  const goings = comings
    .filter(() => draw.chance(0.4))
    .map((coming) => ({
      ...coming,
      kind: "unsubscribe" as const,
      atMs: draw.between(coming.atMs, restAtMs),
      by: draw.pick(["hand", "signal"] as const),
    }));
  const words = Array.from({ length: draw.between(5, 40) }, () => {
    const how = draw.pick(["all", "all", "others", "local", "direct"] as const);
    const times = draw.chance(0.2) ? draw.between(5, 12) : draw.between(1, 3);
    const to = how === "direct" ? { to: draw.between(0, nodes + 1) } : {};
    return { kind: "broadcast" as const, ...common(), how, times, ...to };
  });
  return [...comings, ...goings, ...words];
}

/** A name goes from one process to the next, by takeover and transfer; half of the time while a node comes, goes or fails. */
function drawRelays(draw: Draw, plan: Plan, faults: readonly Fault[]): Operation[] {
  if (draw.chance(0.3)) return [];
  return Array.from({ length: draw.between(1, 3) }, (_, index) => {
    const at = faults.length > 0 && draw.chance(0.5) ? draw.pick(faults).atMs - STEP_MS : undefined;
    const fromMs = at ?? draw.between(400, plan.restAtMs - 1_200);
    return drawRelay(draw, plan, `relay ${index}`, Math.max(400, fromMs));
  }).flat();
}

function drawRelay(
  draw: Draw,
  { nodes, processes, restAtMs }: Plan,
  name: string,
  fromMs: number,
): Operation[] {
  const operations: Operation[] = [];
  let atMs = fromMs;
  const holder = () => ({ owner: draw.between(0, nodes - 1), process: draw.between(0, processes - 1) });
  const asker = (owner: number): number => (draw.chance(0.6) ? owner : draw.between(0, nodes - 1));
  for (let hand = 0, hands = draw.between(3, 6); hand < hands; hand += 1) {
    const { owner, process } = holder();
    const kind = hand === 0 ? "register" : draw.pick(["takeover", "transfer"] as const);
    operations.push({ kind, atMs, node: asker(owner), name, owner, process });
    const how = draw.pick(["send", "call"] as const);
    const speaker = holder();
    operations.push({
      kind: "say",
      atMs: atMs + draw.between(0, STEP_MS),
      node: speaker.owner,
      process: speaker.process,
      how,
      to: { name },
      times: draw.between(1, 4),
    });
    atMs += draw.between(0, STEP_MS);
  }
  return operations.filter((operation) => operation.atMs <= restAtMs);
}
