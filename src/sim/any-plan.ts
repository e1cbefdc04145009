import { z } from "zod";

/** Something that is asked for, or goes wrong. */
export interface Planned {
  readonly kind: string;
  readonly atMs: number;
}

/** What plans of every kind have, whatever it is that they try. */
export interface AnyPlan {
  readonly seed: string;
  /** When the faults are over: from here on nothing is asked for, and everything has to come to rest. */
  readonly restAtMs: number;
  readonly operations: readonly Planned[];
  readonly faults: readonly Planned[];
}

export const CLUSTER = "cluster";
export const LEASES = "leases";
export const WORKLOADS = [CLUSTER, LEASES] as const;
/** What plans are about. A plan that does not say so is about the cluster. */
export type Workload = (typeof WORKLOADS)[number];

/**
 * Reads a plan from a file.
 *
 * @throws SyntaxError when it is no JSON; Error saying what is wrong where when it is no plan, or one for another workload
 */
export function parseAs<P extends AnyPlan>(text: string, schema: z.ZodType<P>, workload: Workload): P {
  const value: unknown = JSON.parse(text);
  if (isObject(value)) {
    const { workload: its = CLUSTER } = value;
    // What each field lacks would not say that the whole plan is for something else.
    if (its !== workload && WORKLOADS.some((known) => known === its))
      throw new Error(`it was written for --workload ${String(its)}, and this is --workload ${workload}`);
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw new Error(z.prettifyError(read.error));
}

function isObject(value: unknown): value is { readonly workload?: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
