import { InvalidArgumentError } from "../kernel/errors.ts";

/** What all nodes and servers of one store must agree on. */
export interface LeaseSettings {
  /** How long a server keeps a session that is not renewed, in milliseconds of its own clock. 50 to 600,000. */
  readonly ttlMs: number;
  /** By how much the rates of two clocks may differ over a `ttlMs`: 0.01 is one percent. 0 to 0.2. */
  readonly clockRateBound: number;
  /** How far the calendar of a server may step ahead unnoticed during a `ttlMs`, in milliseconds. */
  readonly serverStepMs: number;
}

export const DEFAULT_LEASE_SETTINGS: LeaseSettings = {
  ttlMs: 10_000,
  clockRateBound: 0.01,
  serverStepMs: 250,
};

/** For the resolution of clocks. A holder gives up so much earlier. */
const RESOLUTION_MS = 5;

/** What follows from the settings, in milliseconds. */
export interface LeaseTimes {
  /**
   * For how long after a request was **sent** its answer proves that the session is kept. The server counts a whole `ttlMs` from
   * when it came there, so this is less by what the clocks may differ in.
   */
  readonly lifeMs: number;
  /** Between two renewals. Two may fail before the session is lost. */
  readonly renewEveryMs: number;
  /** An answer that takes longer is not waited for. It still counts when it comes. */
  readonly requestMs: number;
  /** How long a server keeps out when it may have forgotten sessions: until every node has given them up. */
  readonly guardMs: number;
}

/** @throws InvalidArgumentError when a lease could not be held with such settings */
export function leaseTimes(settings: LeaseSettings): LeaseTimes {
  const { ttlMs, clockRateBound, serverStepMs } = settings;
  check("ttlMs", ttlMs, ttlMs >= 50 && ttlMs <= 600_000, "milliseconds from 50 to 600000");
  check("clockRateBound", clockRateBound, clockRateBound >= 0 && clockRateBound <= 0.2, "from 0 to 0.2");
  check("serverStepMs", serverStepMs, serverStepMs >= 0, "milliseconds from 0");
  const lifeMs = ttlMs * (1 - clockRateBound) - RESOLUTION_MS - serverStepMs;
  check(
    "serverStepMs",
    serverStepMs,
    lifeMs > ttlMs / 2,
    `so little that half of ttlMs, which is ${ttlMs}, is left`,
  );
  return {
    lifeMs,
    renewEveryMs: ttlMs / 3,
    requestMs: ttlMs / 6,
    guardMs: ttlMs * (1 + clockRateBound) + serverStepMs,
  };
}

/** How many servers are a majority of so many. */
export function majorityOf(servers: number): number {
  return Math.floor(servers / 2) + 1;
}

function check(key: keyof LeaseSettings, value: number, holds: boolean, expected: string): void {
  if (!holds || !Number.isFinite(value)) throw new InvalidArgumentError(`leases.${key}`, value, expected);
}
