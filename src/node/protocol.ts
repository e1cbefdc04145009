import {
  defineMessages,
  flag,
  list,
  type MessageOf,
  nat,
  nodeId,
  text,
  tuple,
  type UnionOf,
  type Variants,
} from "../bus/wire-schema.ts";
import { claimMessages, clashMessages, handoverMessages, requestMessages } from "../global/messages.ts";
import { monitorMessages } from "../monitor/monitor-protocol.ts";
import { membershipMessages } from "../monitor/protocol.ts";
import { replicationMessages } from "../replication/messages.ts";
import { operation } from "./operations.ts";
import { leaseMessages } from "./strict/messages.ts";

/** The protocol versions that this release speaks: it can share a cluster with releases that speak any of them. */
export const PROTOCOL_VERSIONS = { min: 1, max: 1 } as const;

const MAX_SCOPES = 1_024;

const tableMessages = {
  /** With each heartbeat: where the sender's logs stand, and what its own entries look like there. */
  beat: [70, { logs: list(tuple({ scope: text, position: nat, digest: nat }), MAX_SCOPES) }],
  /** Have you this scope open? Sent behind the news that the sender has. */
  scopeAsk: [71, { scope: text }],
  scopeAnswer: [72, { scope: text, open: flag }],
  /** Have you applied these logs up to there? Answered when so; asked again otherwise. */
  settleAsk: [
    73,
    { request: nat, wants: list(tuple({ scope: text, owner: nodeId, position: nat }), MAX_SCOPES * 16) },
  ],
  settled: [74, { request: nat }],
} as const satisfies Variants;

/** What nodes say to each other about the state they share: the whole protocol, but for the messages of processes. */
export const clusterMessages = defineMessages({
  ...membershipMessages,
  ...replicationMessages(operation),
  ...handoverMessages,
  ...claimMessages,
  ...clashMessages,
  ...requestMessages,
  ...tableMessages,
  ...monitorMessages,
  ...leaseMessages,
});

export type ClusterMessage = MessageOf<typeof clusterMessages>;
export type TableMessage = UnionOf<typeof tableMessages>;
