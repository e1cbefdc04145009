import { z } from "zod";
import { leaseTimes } from "../../lease/settings.ts";
import { LEASES, parseAs } from "../any-plan.ts";

/**
 * Everything that a simulated run of leases does, as plain JSON. Nodes and servers are named by their places; who comes when one
 * has crashed has its place. Only how long each message takes comes from the seed.
 */

const place = z.number().int().min(0).max(63);
const ms = z.number().min(0).max(600_000);
const asked = { atMs: ms, node: place, name: z.string(), timeoutMs: ms };

/** Something a program does. */
const operation = z.discriminatedUnion("kind", [
  /** Releases the name after a while, if it gets it. `wait`: stands in line while somebody has it. */
  z.object({ kind: z.literal("acquire"), ...asked, wait: z.boolean(), holdMs: ms }),
  z.object({ kind: z.literal("lookup"), ...asked }),
]);
export type LeaseOperation = z.infer<typeof operation>;

const lasting = { atMs: ms, forMs: ms };
const line = { ...lasting, node: place, server: place };

/** Something that goes wrong, and mostly ends after a while. */
const fault = z.discriminatedUnion("kind", [
  /** Nothing passes between them. The node notices after a third of the time. */
  z.object({ kind: z.literal("cut"), ...line }),
  /** Replies vanish, and the connection stays. */
  z.object({ kind: z.literal("mute"), ...line }),
  /** What the node sends arrives at the end. Half way through, the connection breaks, and the next one is as fast as ever. */
  z.object({ kind: z.literal("late"), ...line }),
  z.object({ kind: z.literal("slow"), ...line, byMs: ms }),
  /** The connection ends, and is made again. */
  z.object({ kind: z.literal("break"), ...line }),
  /** The OS process stands still; its clocks go on. */
  z.object({ kind: z.literal("pause"), ...lasting, node: place }),
  /** Another takes its place at once. */
  z.object({ kind: z.literal("crash"), ...lasting, node: place }),
  /** The whole machine sleeps, and its monotonic clock with it. */
  z.object({ kind: z.literal("suspend"), ...lasting, node: place }),
  /** The two nodes do not hear each other. */
  z.object({ kind: z.literal("deaf"), ...lasting, node: place, other: place }),
  /** It carries out later what comes meanwhile. */
  z.object({ kind: z.literal("serverPause"), ...lasting, server: place }),
  /** `older`: with the data of when its calendar stepped last. `wiped`: it runs on, without any. */
  z.object({
    kind: z.literal("restart"),
    ...lasting,
    server: place,
    data: z.enum(["kept", "older", "lost", "wiped"]),
  }),
  /** Its calendar steps, for good. */
  z.object({ kind: z.literal("serverStep"), ...lasting, server: place, byMs: z.number() }),
  z.object({ kind: z.literal("step"), ...lasting, node: place, byMs: z.number() }),
  /** Its clock runs faster or slower by this factor, for good. */
  z.object({ kind: z.literal("drift"), ...lasting, node: place, rate: z.number().min(0.1).max(4) }),
]);
export type LeaseFault = z.infer<typeof fault>;

/** @see LeaseSettings */
const settings = z
  .object({ ttlMs: z.number(), clockRateBound: z.number(), serverStepMs: z.number() })
  .superRefine((given, context) => {
    try {
      leaseTimes(given);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    }
  });

export const leasePlanSchema = z
  .object({
    format: z.literal(1),
    workload: z.literal(LEASES),
    seed: z.string(),
    servers: z.number().int().min(1).max(9),
    nodes: z.number().int().min(1).max(16),
    settings,
    /** How long each message is under way. */
    delayMs: z.tuple([ms, ms]),
    /** Whether clocks keep to the bound that leases count on. If not, two may hold a name; tokens must tell them apart. */
    areClocksSound: z.boolean(),
    /** From here on nothing goes wrong, and nothing new is asked. */
    restAtMs: ms,
    operations: z.array(operation),
    faults: z.array(fault),
  })
  .superRefine(({ faults, nodes, operations, servers }, context) => {
    const missing = (list: "faults" | "operations", index: number, role: string, least: number): void =>
      context.addIssue({
        code: "custom",
        path: [list, index, role],
        message: `there are only ${least} ${role === "server" ? "servers" : "nodes"}, from 0`,
      });
    for (const [index, { node }] of operations.entries())
      if (node >= nodes) missing("operations", index, "node", nodes);
    for (const [index, each] of faults.entries()) {
      if ("node" in each && each.node >= nodes) missing("faults", index, "node", nodes);
      if ("other" in each && each.other >= nodes) missing("faults", index, "other", nodes);
      if ("server" in each && each.server >= servers) missing("faults", index, "server", servers);
    }
  });
export type LeasePlan = z.infer<typeof leasePlanSchema>;

/** @throws SyntaxError when it is no JSON; Error saying what is wrong where when it is no such plan */
export function parseLeasePlan(text: string): LeasePlan {
  return parseAs(text, leasePlanSchema, LEASES);
}
