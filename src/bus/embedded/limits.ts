/** What bounds one embedded broker. It serves one machine, so these are about mistakes rather than load. */
export interface BrokerLimits {
  /** The largest message, headers included: as NATS has it. */
  readonly maxPayload: number;
  /** The longest line of the protocol, without the payload: as NATS has it. */
  readonly controlLineBytes: number;
  /**
   * What may wait for one client that does not read, before it is cut off: as NATS has it. It bounds this process's memory; lower,
   * and a client that stalls for a second under load loses its connection.
   */
  readonly pendingBytes: number;
  /** Connections at once, whether they have said CONNECT or not: more than the nodes that one machine runs. */
  readonly clients: number;
  /**
   * How long a client may be connected without having said CONNECT, in milliseconds: longer than any dials for, so that it is only
   * who never will. Otherwise idle connections would take up the room of `clients`.
   */
  readonly connectMs: number;
  readonly subscriptionsPerClient: number;
}

export const BROKER_LIMITS: BrokerLimits = {
  maxPayload: 1_048_576,
  controlLineBytes: 4_096,
  pendingBytes: 64 * 1_048_576,
  clients: 1_000,
  connectMs: 5_000,
  subscriptionsPerClient: 100_000,
};
