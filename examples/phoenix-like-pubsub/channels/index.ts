export { type Answer, ok, refuse, reply } from "./answer.ts";
export { type ChannelLimits, DEFAULT_LIMITS } from "./limits.ts";
export type { CheckOrigin } from "./origin.ts";
export type { ConnectRequest, Params } from "./request.ts";
export { defineSocket } from "./socket.ts";
export type {
  Assigns,
  Broadcast,
  Channel,
  ChannelContext,
  ChannelEnd,
  ChannelPresence,
  DrainOptions,
  PhoenixSocket,
  SocketOptions,
  SocketStats,
} from "./types.ts";
export { UnsendableError } from "./wire.ts";
