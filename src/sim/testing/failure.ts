import { RollcallError } from "../../kernel/errors.ts";

/** How many lines of the log stand in the message of a failure. */
const LINES_SHOWN = 40;

/** One thing that happened in a simulated cluster. */
export interface SimulationLine {
  /** Milliseconds of virtual time since the start of the run. */
  readonly atMs: number;
  /** The node, or `simulation`. */
  readonly who: string;
  readonly what: string;
}

/** A seed for which the workload or the check threw, or nobody handled a rejection. Its `cause` is what was thrown. */
export class SimulationFailedError extends RollcallError {
  readonly code = "SIMULATION_FAILED";

  constructor(
    /** Given to `simulate` as `seed`, it makes the same happen again. */
    readonly seed: string,
    /** All that happened, in order. */
    readonly log: readonly SimulationLine[],
    cause: unknown,
  ) {
    super(
      [
        `seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`,
        `to see this run alone, give simulate() { seed: ${JSON.stringify(seed)} } in place of seeds`,
        `what happened last, of ${log.length} lines:`,
        ...log.slice(-LINES_SHOWN).map(written),
      ].join("\n"),
      { cause },
    );
  }
}

function written({ atMs, who, what }: SimulationLine): string {
  return `${atMs.toFixed(1).padStart(10)} ms  ${who}: ${what}`;
}
