import { type LeaseSettings, leaseTimes, majorityOf } from "../../lease/settings.ts";
import type { Draw } from "../draw.ts";
import type { LeaseFault, LeaseOperation, LeasePlan } from "./plan.ts";

/*
 * Sequences of things that chance alone brings about once in thousands of plans, each a way in which leases could go wrong. Their
 * order is told here; times, places and what else happens are left to chance.
 */

/** What a plan does. */
export interface Deeds {
  readonly operations: LeaseOperation[];
  readonly faults: LeaseFault[];
}

export type Shape = Pick<LeasePlan, "servers" | "nodes" | "restAtMs">;
export type Story = (draw: Draw, shape: Shape, settings: LeaseSettings) => Deeds;

const NAME = "x";
/** Within these, messages are there in the stories: their plans have short delays. */
const SOON_MS = 10;

interface Roles {
  readonly asker: number;
  readonly other: number;
  /** The server that it is about. */
  readonly first: number;
  /** With `first` a bare majority. */
  readonly second: readonly number[];
  readonly rest: readonly number[];
}

function drawRoles(draw: Draw, { nodes, servers }: Shape): Roles {
  const asker = draw.between(0, nodes - 1);
  const first = draw.between(0, servers - 1);
  const others = Array.from({ length: servers - 1 }, (_, index) => (first + index + 1) % servers);
  const bare = majorityOf(servers) - 1;
  return {
    ...{ asker, other: (asker + draw.between(1, nodes - 1)) % nodes, first },
    ...{ second: others.slice(0, bare), rest: others.slice(bare) },
  };
}

/** What one node sends to one server at this moment takes so long. */
function slowOnce(atMs: number, node: number, server: number, byMs: number): LeaseFault {
  return { kind: "slow", atMs: atMs - 2, forMs: 5, node, server, byMs };
}

/**
 * 1. A node asks for a name at the same time as another, and gets the vote of one server. 2. It takes that back, and the message
 * is late. 3. It connects anew, and is granted the name by a bare majority, that server among them. 4. The message arrives, of the
 * earlier connection. 5. Another node asks those who have no vote, and that server.
 */
export const lateRelease: Story = (draw, shape) => {
  const { asker, other, first, second, rest } = drawRoles(draw, shape);
  const atMs = draw.between(1_200, Math.max(1_200, shape.restAtMs - 2_000));
  const halfMs = draw.between(280, 450);
  const arrivesMs = atMs + 2 * halfMs;
  const common = { kind: "acquire", name: NAME, timeoutMs: 3_000 } as const;
  return {
    operations: [
      { ...common, atMs, node: asker, wait: true, holdMs: 100_000 },
      { ...common, atMs, node: other, wait: false, holdMs: draw.between(halfMs + 40, 2 * halfMs - 60) },
      { ...common, atMs: arrivesMs + draw.between(1, 200), node: other, wait: draw.chance(0.5), holdMs: 500 },
    ],
    faults: [
      // Long before, so that the asker knows, and counts on no answer of theirs.
      ...rest.map(
        (server): LeaseFault => ({
          ...{ kind: "cut", node: asker, server },
          ...{ atMs: atMs - 1_100, forMs: 2_000 + 2 * halfMs },
        }),
      ),
      ...second.map((server) => slowOnce(atMs, asker, server, draw.between(20, 60))),
      slowOnce(atMs, other, first, draw.between(40, 120)),
      { kind: "late", atMs: atMs + 1, forMs: 2 * halfMs, node: asker, server: first },
    ],
  };
};

/**
 * 1. A server grants a name, and then loses its data. 2. A bare majority with it is complete only later: the token is under way to
 * the rest of it while another node looks after the server that comes back. 3. Those who know the token are away when the next one
 * asks for the name.
 *
 * Nodes guess at tokens by their calendars, and take note of the highest that they hear of, which hides much. So in half of the
 * stories the calendar of the first is ahead, and the next has just been started.
 */
export const tokenUnderWay: Story = (draw, shape, settings) => {
  const { asker, other, first, second, rest } = drawRoles(draw, shape);
  const { guardMs, requestMs } = leaseTimes(settings);
  const lostMs = draw.between(1_200, Math.max(1_200, shape.restAtMs - 2_500));
  const beganMs = lostMs - draw.between(SOON_MS, 2 * SOON_MS);
  const backMs = lostMs + Math.ceil(guardMs + requestMs) + draw.between(20, 200);
  const common = { kind: "acquire", name: NAME, timeoutMs: 1_000 } as const;
  const ahead: LeaseFault[] = [
    { kind: "step", atMs: beganMs - 700, forMs: 0, node: asker, byMs: draw.between(2_000, 5_000) },
    { kind: "crash", atMs: backMs - 1, forMs: 0, node: other },
  ];
  return {
    operations: [
      { ...common, atMs: beganMs, node: asker, wait: false, holdMs: draw.between(50, 700) },
      { ...common, atMs: backMs + draw.between(50, 350), node: other, wait: draw.chance(0.5), holdMs: 50 },
    ],
    faults: [
      ...(draw.chance(0.5) ? ahead : []),
      // Of these the asker never hears: it cannot be the one that finds a floor.
      ...rest.map(
        (server): LeaseFault => ({
          ...{ kind: "cut", node: asker, server },
          ...{ atMs: beganMs - 20, forMs: backMs - beganMs + draw.between(0, 500) },
        }),
      ),
      ...second.map((server) => slowOnce(beganMs, asker, server, draw.between(60, 140))),
      { kind: "restart", atMs: lostMs, forMs: 0, server: first, data: "lost" },
      ...second.flatMap((server) =>
        Array.from(
          { length: shape.nodes },
          (_, node): LeaseFault => ({ kind: "cut", atMs: backMs, forMs: 700, node, server }),
        ),
      ),
    ],
  };
};

/**
 * 1. Answers to a holder take their time. 2. The last of them is under way still when nothing more gets through to it. 3. Another
 * waits for the name, and has it as soon as the servers let go of the first.
 */
export const lastAnswer: Story = (draw, shape) => {
  const { asker, other } = drawRoles(draw, shape);
  const cutMs = draw.between(1_200, Math.max(1_200, shape.restAtMs - 2_000));
  const common = { kind: "acquire", name: NAME, timeoutMs: 3_000 } as const;
  const servers = Array.from({ length: shape.servers }, (_, server) => server);
  return {
    operations: [
      { ...common, atMs: cutMs - draw.between(700, 1_000), node: asker, wait: false, holdMs: 100_000 },
      { ...common, atMs: cutMs + draw.between(-200, 500), node: other, wait: true, holdMs: 500 },
    ],
    faults: servers.flatMap((server): LeaseFault[] => [
      {
        ...{ kind: "slow", atMs: cutMs - 600, forMs: 1_000, node: asker, server },
        byMs: draw.between(80, 160),
      },
      { kind: "cut", atMs: cutMs, forMs: 3_000, node: asker, server },
    ]),
  };
};

export const STORIES: readonly Story[] = [lateRelease, tokenUnderWay, lastAnswer];
