import { InvalidArgumentError } from "rollcall";

/** What one server of channels may hold, and for how long it waits. Times in milliseconds. */
export interface ChannelLimits {
  /** One frame from a client: a longer one ends its socket. */
  readonly frameBytes: number;
  /** How deep the payload of a client may nest. */
  readonly payloadDepth: number;
  /** Sockets of this node, of both transports, those whose `connect` is not done included. */
  readonly sockets: number;
  /** Channels of one socket: as many as Phoenix allows. */
  readonly channels: number;
  /**
   * Events of one socket that wait for its channels. Past it nothing is read from the socket until half of them are done: TCP
   * then holds back the client. What had been read by then, 64 KiB or so, is still taken.
   */
  readonly inboundMessages: number;
  /** Messages from other processes that wait for one channel: its mailbox. */
  readonly mailbox: number;
  /**
   * What waits for one client. Who reads more slowly than that is closed, for the memory of all is at stake. One frame takes at
   * most as much: a longer one crashes the channel that would send it. So it is also what a `presence_state` may take: 60 bytes
   * or so for each presence, and what its metadata takes in JSON. With 100 bytes of that, 26,000 presences fit by default.
   */
  readonly outboundBytes: number;
  /** How long `connect` may take. */
  readonly connectMs: number;
  /** A WebSocket that was silent for so long is closed: two heartbeats of the client. */
  readonly idleMs: number;
  /** How long what a channel has begun may take once it is to end; and a client to answer the end of its socket. */
  readonly closeMs: number;
  /**
   * How long the first join of a topic on this node waits until the other nodes know that there are listeners here. Past it the
   * client is in, and may miss what a node that lags sends.
   */
  readonly settleMs: number;
  /** How long a poll waits for something to happen, and a batch for room. The client gives up after 20 s. */
  readonly pollMs: number;
  /** Lines of one long-poll request: those past it are ignored, as by Phoenix. */
  readonly batchLines: number;
  /** Bytes of one long-poll request. */
  readonly batchBytes: number;
  /**
   * Bytes of all long-poll requests that are being received, or wait for room: of this node, for their memory is that of all. Of
   * each the first `batchesBytes / sockets` bytes, 6.5 KiB by default, are not counted, so that a few clients with long ones do
   * not keep out small ones. So all take at most twice as much.
   */
  readonly batchesBytes: number;
  /** How long a long-poll request may take to come, and an answer to be read. The client gives up after 20 s. */
  readonly transferMs: number;
}

export const DEFAULT_LIMITS: ChannelLimits = {
  frameBytes: 256 * 1024,
  payloadDepth: 100,
  sockets: 10_000,
  channels: 100,
  inboundMessages: 1_000,
  mailbox: 10_000,
  outboundBytes: 4 * 1024 * 1024,
  connectMs: 10_000,
  idleMs: 60_000,
  closeMs: 5_000,
  settleMs: 1_000,
  pollMs: 10_000,
  batchLines: 100,
  batchBytes: 8_000_000,
  batchesBytes: 64 * 1024 * 1024,
  transferMs: 20_000,
};

/** The longest time that timers of Node take. */
const MOST = 2 ** 31 - 1;
/** Whatever the server says of its own accord fits: topic and references may have 255 bytes each, of which JSON may make six. */
const LEAST_OUTBOUND_BYTES = 8 * 1024;

/** @throws InvalidArgumentError for one that there is not, or that is no whole number in its range */
export function checkLimits(given: Partial<ChannelLimits> = {}): ChannelLimits {
  for (const [limit, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, limit)) {
      const known = Object.keys(DEFAULT_LIMITS).join(", ");
      throw new InvalidArgumentError(`limits.${limit}`, value, `nothing: there are ${known}`);
    }
    const least = limit === "outboundBytes" ? LEAST_OUTBOUND_BYTES : 1;
    if (!Number.isInteger(value) || value < least || value > MOST)
      throw new InvalidArgumentError(`limits.${limit}`, value, `a whole number from ${least} to ${MOST}`);
  }
  return { ...DEFAULT_LIMITS, ...given };
}
