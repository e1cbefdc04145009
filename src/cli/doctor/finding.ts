/** How bad it is. `skipped`: it was not looked at, and `what` says why. */
export type Level = "ok" | "warn" | "fail" | "skipped";

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly level: Level;
  readonly what: string;
  /** What to do about it: with everything that is not well. */
  readonly remedy?: string;
}

export function ok(check: string, what: string): Finding {
  return { check, level: "ok", what };
}

export function warn(check: string, what: string, remedy: string): Finding {
  return { check, level: "warn", what, remedy };
}

export function fail(check: string, what: string, remedy: string): Finding {
  return { check, level: "fail", what, remedy };
}

export function skipped(check: string, what: string): Finding {
  return { check, level: "skipped", what };
}
