import { z } from "zod";
import { CLUSTER, parseAs } from "./any-plan.ts";

/**
 * Everything that a simulated run does, as plain JSON: who is there, how time and the network behave, what is asked for and
 * what goes wrong, and when. Only what is left to chance while it runs (how long each frame takes, mostly) comes from the seed,
 * in a stream of its own for each purpose: so one action can be taken out, and the others happen as before.
 */

const place = z.number().int().min(0).max(63);
const ms = z.number().min(0).max(600_000);
const range = z.tuple([ms, ms]);
const at = { atMs: ms };

/** What user code does with a clash. */
export const RESOLVERS = ["oldest", "newest", "notify", "none", "moody", "throws", "never", "junk"] as const;
export type ResolverMood = (typeof RESOLVERS)[number];

/** What subscribes to a topic. */
export const HEARERS = ["process", "listener", "slow"] as const;

/** Something a program does. Nodes are named by their place, processes by the place of their node and their number there. */
const operation = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("register"),
    ...at,
    node: place,
    name: z.string(),
    owner: place,
    process: place,
  }),
  z.object({
    kind: z.literal("takeover"),
    ...at,
    node: place,
    name: z.string(),
    owner: place,
    process: place,
  }),
  z.object({
    kind: z.literal("transfer"),
    ...at,
    node: place,
    name: z.string(),
    owner: place,
    process: place,
  }),
  /** Of one process only, where one is named. */
  z.object({
    kind: z.literal("unregister"),
    ...at,
    node: place,
    name: z.string(),
    of: z.object({ owner: place, process: place }).optional(),
  }),
  z.object({ kind: z.literal("update"), ...at, node: place, name: z.string(), meta: z.number() }),
  z.object({ kind: z.literal("exit"), ...at, node: place, process: place }),
  /** `with`: further processes in the same call, the same one more than once, too. Without metadata a member keeps what it has. */
  z.object({
    kind: z.literal("join"),
    ...at,
    node: place,
    group: z.string(),
    process: place,
    with: z.array(place).max(16).optional(),
    meta: z.number().optional(),
  }),
  z.object({
    kind: z.literal("leave"),
    ...at,
    node: place,
    group: z.string(),
    process: place,
    with: z.array(place).max(16).optional(),
  }),
  z.object({
    kind: z.literal("updateMember"),
    ...at,
    node: place,
    group: z.string(),
    process: place,
    meta: z.number(),
  }),
  /** One process joins so many groups in one turn: more than one message can carry. */
  z.object({
    kind: z.literal("crowd"),
    ...at,
    node: place,
    process: place,
    groups: z.number().int().min(1).max(5_000),
  }),
  /** `former`: of the one that had this place before, if one did, and has ended. Shells watch the one that has it now. */
  z.object({
    kind: z.literal("monitor"),
    ...at,
    node: place,
    owner: place,
    process: place,
    former: z.boolean().optional(),
    forMs: ms,
  }),
  z.object({ kind: z.literal("monitorNode"), ...at, node: place, watched: place, forMs: ms.optional() }),
  /** A process sends or calls, so many times in one turn. Machines know nothing of messages: this is for shells. */
  z.object({
    kind: z.literal("say"),
    ...at,
    node: place,
    process: place,
    how: z.enum(["send", "call"]),
    to: z.union([z.object({ owner: place, process: place }), z.object({ name: z.string() })]),
    times: z.number().int().min(1).max(1_000),
  }),
  /** A process is present in a topic under a key, says something else of itself, or goes. For shells, as what processes say. */
  z.object({
    kind: z.literal("present"),
    ...at,
    node: place,
    process: place,
    topic: z.string(),
    key: z.string(),
    how: z.enum(["track", "update", "untrack"]),
    meta: z.number(),
  }),
  /** A process subscribes to a topic, or a listener does, which may be slow: they are told apart by that and the number. */
  z.object({
    kind: z.literal("subscribe"),
    ...at,
    node: place,
    process: place,
    topic: z.string(),
    as: z.enum(HEARERS),
  }),
  z.object({
    kind: z.literal("unsubscribe"),
    ...at,
    node: place,
    process: place,
    topic: z.string(),
    as: z.enum(HEARERS),
    by: z.enum(["hand", "signal"]),
  }),
  /** A process says something in a topic, so many times in one turn; `to`: the node that alone is to hear what is `direct`. */
  z.object({
    kind: z.literal("broadcast"),
    ...at,
    node: place,
    process: place,
    topic: z.string(),
    how: z.enum(["all", "others", "local", "direct"]),
    to: place.optional(),
    times: z.number().int().min(1).max(1_000),
  }),
  z.object({
    kind: z.literal("publish"),
    ...at,
    node: place,
    process: place,
    group: z.string(),
    times: z.number().int().min(1).max(1_000),
  }),
]);
export type Operation = z.infer<typeof operation>;

/** Something that goes wrong, or a node that comes or goes. */
const fault = z.discriminatedUnion("kind", [
  /** The network between the sides is cut. `blackHole`: probes across it vanish too, in place of "no responders". */
  z.object({
    kind: z.literal("cut"),
    ...at,
    forMs: ms,
    sides: z.array(z.array(place)),
    blackHole: z.boolean(),
  }),
  /** Frames one way vanish. */
  z.object({ kind: z.literal("deaf"), ...at, forMs: ms, from: place, to: place }),
  /** Frames one way take this much longer. */
  z.object({ kind: z.literal("clog"), ...at, forMs: ms, from: place, to: place, byMs: ms }),
  /** Frames one way come twice. The gate of the shell drops the copies; machines are never given any. */
  z.object({ kind: z.literal("repeat"), ...at, forMs: ms, from: place, to: place }),
  /** The connection to the bus drops; the node is told this much later. What it sends meanwhile is lost without a word. */
  z.object({ kind: z.literal("disconnect"), ...at, forMs: ms, node: place, noticeMs: ms }),
  /** The bus is away for everybody; each comes back in its own time after it. */
  z.object({ kind: z.literal("busRestart"), ...at, forMs: ms, spreadMs: ms }),
  /** The server cuts off a node that reads too slowly: what was under way to it is gone. */
  z.object({ kind: z.literal("slowConsumer"), ...at, node: place, forMs: ms }),
  /** The OS process stands still. */
  z.object({ kind: z.literal("pause"), ...at, forMs: ms, node: place }),
  z.object({ kind: z.literal("crash"), ...at, node: place }),
  /** Comes with a new incarnation, whether the old one is gone or not: then it is killed in the same moment. */
  z.object({ kind: z.literal("restart"), ...at, node: place }),
  /** Hands over, says goodbye, and is gone. */
  z.object({ kind: z.literal("depart"), ...at, node: place }),
  /** Its clock runs faster or slower by this factor. */
  z.object({ kind: z.literal("drift"), ...at, forMs: ms, node: place, rate: z.number().min(0.5).max(2) }),
  /** Its calendar steps. */
  z.object({ kind: z.literal("step"), ...at, node: place, byMs: z.number() }),
]);
export type Fault = z.infer<typeof fault>;

export const planSchema = z.object({
  format: z.literal(1),
  seed: z.string(),
  /** Nodes that are there from the beginning, at places 0, 1, … Later places come by `restart`. */
  nodes: z.number().int().min(1).max(16),
  /** Processes that each node spawns when it is ready. */
  processes: z.number().int().min(1).max(16),
  delayMs: range,
  /** How long a turn of an event loop lasts: what is sent in one leaves together. */
  turnMs: range,
  /** How often a node looks whether its successor is there. */
  probeEveryMs: ms,
  resolver: z.enum(RESOLVERS),
  resolverMs: range,
  /** When the faults are over: from here on nothing is asked for, and everything has to come to rest. */
  restAtMs: ms,
  operations: z.array(operation),
  faults: z.array(fault),
});
export type Plan = z.infer<typeof planSchema>;

/** @throws SyntaxError when it is no JSON; Error saying what is wrong where when it is no such plan */
export function parsePlan(text: string): Plan {
  return parseAs(text, planSchema, CLUSTER);
}
