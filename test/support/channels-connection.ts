import {
  Connection,
  type ConnectionServices,
  type Transport,
} from "../../examples/phoenix-like-pubsub/channels/connection.ts";
import { type ChannelLimits, checkLimits } from "../../examples/phoenix-like-pubsub/channels/limits.ts";
import type { Frame } from "../../examples/phoenix-like-pubsub/channels/messages.ts";
import { PresenceFeeds } from "../../examples/phoenix-like-pubsub/channels/presence-feeds.ts";
import { Routes } from "../../examples/phoenix-like-pubsub/channels/routes.ts";
import { Topics } from "../../examples/phoenix-like-pubsub/channels/topics.ts";
import type { Channel } from "../../examples/phoenix-like-pubsub/channels/types.ts";
import { type ClusterNode, createPresence, createPubSub, type Logger } from "../../src/index.ts";

/** What a client would see. */
export class RecordingTransport implements Transport {
  readonly takesBytes = true;
  readonly sent: Frame[] = [];
  readonly closes: string[] = [];
  isPaused = false;

  send(frame: Frame): void {
    this.sent.push(frame);
  }

  close(cause: string): void {
    this.closes.push(cause);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** All since the last time. */
  take(): readonly unknown[] {
    return this.sent.splice(0).map((frame) => JSON.parse(String(frame)) as unknown);
  }
}

/** What connections to one node share. */
export function servicesOf(
  node: ClusterNode,
  channels: Record<string, Channel>,
  limited: Partial<ChannelLimits> = {},
  logger: Logger = { debug() {}, info() {}, warn() {}, error() {} },
): ConnectionServices {
  const pubsub = createPubSub(node, { name: "channels" });
  const presence = createPresence(pubsub);
  const limits = checkLimits({ closeMs: 100, ...limited });
  return {
    node,
    topics: new Topics({ node, pubsub, limits, logger }),
    presence,
    feeds: new PresenceFeeds(presence, logger, limits),
    limits,
    logger,
    routes: new Routes(channels),
    counts: { crashes: 0, binaryDropped: 0, channels: 0 },
  };
}

export function connect(services: ConnectionServices) {
  const transport = new RecordingTransport();
  const client = { assigns: {}, id: undefined };
  const connection = new Connection(services, transport, client, () => {});
  const send = (...frame: readonly unknown[]): void => void connection.receive(JSON.stringify(frame));
  return { connection, send, transport };
}
