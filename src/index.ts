export type { EmbeddedBusOptions } from "./bus/embedded/bus.ts";
export { embeddedBus } from "./bus/embedded/bus.ts";
export type { NatsBusOptions } from "./bus/nats/options.ts";
export { natsBus } from "./bus/nats.ts";
export type { Bus, BusConnection, BusConnectOptions, BusStatus } from "./bus/port.ts";
export type { NameEvent, Notice, UnregisterReason } from "./global/types.ts";
export type { GroupEvent, Member } from "./groups/types.ts";
export {
  AlreadyTrackedError,
  BusClosedError,
  CallFailedError,
  DuplicateNodeError,
  IncompatibleVersionError,
  IndeterminateError,
  InvalidArgumentError,
  InvariantError,
  LeaseLostError,
  LimitExceededError,
  NameTakenError,
  NodeDownError,
  NoLeasesError,
  NoQuorumError,
  NoSuchNameError,
  NoSuchProcessError,
  NotLocalError,
  NotTrackedError,
  RollcallError,
  TimeoutError,
  UnauthorizedError,
} from "./kernel/errors.ts";
export type { ExitReason, NodeDownCause } from "./kernel/exit-reason.ts";
export type { NodeId, Pid } from "./kernel/ids.ts";
export type { LeaseStore } from "./lease/port.ts";
export type { Down, NodeEvent, NodeView } from "./monitor/types.ts";
export type { DropCause } from "./node/frame-gate.ts";
export type { Logger } from "./node/logger.ts";
export type { NodeOptions } from "./node/options.ts";
export { createPresence, createPubSub } from "./node/pubsub/create.ts";
export type {
  Listener,
  ListenerContext,
  Presence,
  PubSub,
  PubSubByTopic,
  PubSubOptions,
  PubSubOptionsByTopic,
  SubscribeOptions,
  Subscription,
  TypedPubSubOptions,
} from "./node/pubsub/types.ts";
export type { FailureDetection, Limits } from "./node/settings.ts";
export { startNode } from "./node/start-node.ts";
export type { NodeStats } from "./node/stats.ts";
export type { LeaseStats } from "./node/strict/lease-stats.ts";
export type {
  Lease,
  StrictHolder,
  StrictNameEvent,
  StrictNames,
  StrictRegisterOptions,
} from "./node/strict/types.ts";
export type {
  Address,
  CallOptions,
  ClusterNode,
  DrainOptions,
  GroupAddress,
  Groups,
  Handler,
  HandlerContext,
  Monitor,
  MonitorTarget,
  MulticallResult,
  NameAddress,
  Names,
  NodeClosed,
  PickStrategy,
  PidLike,
  Process,
  PublishOptions,
  RegisterOptions,
  ResolvedRegisterOptions,
  Scope,
  ScopeOptions,
  SendOptions,
  SpawnOptions,
  StrictNameAddress,
  UnregisterOptions,
  WaitingOptions,
  WatchIterator,
  WatchOptions,
} from "./node/types.ts";
export type { PresenceEvent, PresenceMeta, Presences } from "./pubsub/presence.ts";
export type {
  InputOf,
  OutputOf,
  SchemaIssue,
  SchemaResult,
  StandardSchema,
  TopicSchemas,
} from "./pubsub/schema.ts";
export type { ImmediateResolver } from "./resolve/resolvers.ts";
export {
  keepBy,
  keepNewest,
  keepOldest,
  notifyAll,
  randomExit,
  randomNotify,
} from "./resolve/resolvers.ts";
export type { Clash, Contender, Registration, Resolver, Verdict } from "./resolve/types.ts";
