import { MS_PER_NODE } from "./limits.ts";

/** The part of `failureDetection` that decides who is alive. All in milliseconds. */
export interface DetectionTimes {
  /** Between two heartbeats of a node, in a small cluster: see `beatIntervalMs`. */
  readonly heartbeatMs: number;
  /** Not heard for this long: asked whether it lives. Stretched as heartbeats are. */
  readonly suspectAfterMs: number;
  /** Not heard for this long: down. Stretched as heartbeats are. */
  readonly deadAfterMs: number;
  /** Between two probes of one peer's connection. */
  readonly probeEveryMs: number;
  /** How long a peer's connection must be gone before the peer is down: time for it to reconnect. */
  readonly disconnectGraceMs: number;
  /** The same when the fault seems to be that of the bus. */
  readonly busGraceMs: number;
  /** How long a starting node listens before it believes that it is alone. */
  readonly discoveryMs: number;
}

export const DEFAULT_TIMES: DetectionTimes = {
  heartbeatMs: 1_000,
  suspectAfterMs: 3_000,
  deadAfterMs: 8_000,
  probeEveryMs: 100,
  disconnectGraceMs: 750,
  busGraceMs: 10_000,
  discoveryMs: 300,
};

/** Each node beats more seldom the more there are, so that one node hears at most 100 heartbeats a second, however many there are. */
export function beatIntervalMs(times: DetectionTimes, nodes: number): number {
  return Math.max(times.heartbeatMs, nodes * MS_PER_NODE);
}
