import { InvalidArgumentError, InvariantError } from "../../kernel/errors.ts";
import { incarnationOf } from "../../kernel/ids.ts";
import { checkPubSubName } from "../../pubsub/names.ts";
import { judgeOf, type StandardSchema } from "../../pubsub/schema.ts";
import { checkOptions } from "../known-options.ts";
import type { NodeParts } from "../parts.ts";
import { partsOf } from "../running-node.ts";
import { DEFAULT_SCOPE } from "../scope-set.ts";
import type { ClusterNode } from "../types.ts";
import { NodePresence } from "./node-presence.ts";
import { NodePubSub } from "./node-pubsub.ts";
import { NodeTopics } from "./node-topics.ts";
import type {
  Presence,
  PubSub,
  PubSubByTopic,
  PubSubOptions,
  PubSubOptionsByTopic,
  TypedPubSubOptions,
} from "./types.ts";

const DEFAULT_NAME = "default";

/** The topics and presences of each name on each node: all who ask are given the same. */
const topicsOf = new WeakMap<NodeParts, Map<string, NodeTopics>>();
const presencesOf = new WeakMap<NodeParts, Map<string, NodePresence>>();

/** Of each node, for the presences of all names: `phx_ref` is another one for each statement, anywhere. */
const refsOf = new WeakMap<NodeParts, () => string>();

/**
 * Topics on a node, for as long as it lives. It may be called more than once; those of one name reach each other.
 *
 * @throws InvalidArgumentError, BusClosedError
 */
export function createPubSub<Input, Output>(
  node: ClusterNode,
  options: TypedPubSubOptions<Input, Output>,
): PubSub<Input, Output>;
export function createPubSub<Schemas extends Readonly<Record<string, StandardSchema>>>(
  node: ClusterNode,
  options: PubSubOptionsByTopic<Schemas>,
): PubSubByTopic<Schemas>;
export function createPubSub(node: ClusterNode, options?: PubSubOptions): PubSub;
export function createPubSub(node: ClusterNode, options?: PubSubOptions): PubSub {
  const parts = partsOf(node);
  parts.core.checkOpen();
  const given = checkOptions(options, "createPubSub");
  const name = checkPubSubName(given?.name ?? DEFAULT_NAME);
  const { messaging } = groupsOf(parts);
  const judge = judgeOf(given?.messages);
  const topics = sharedBy(topicsOf, parts, name, () => new NodeTopics(parts, messaging, name));
  return new NodePubSub(parts, topics, messaging, name, judge);
}

/**
 * Who is there, for the topics of a pub-sub.
 *
 * @throws InvalidArgumentError, BusClosedError
 */
export function createPresence(pubsub: PubSub<never, unknown>): Presence {
  if (!(pubsub instanceof NodePubSub)) {
    throw new InvalidArgumentError("pubsub", pubsub, "what createPubSub gives");
  }
  const { name, parts } = pubsub;
  parts.core.checkOpen();
  return sharedBy(presencesOf, parts, name, () => {
    return new NodePresence(parts, groupsOf(parts), name, nextRefOf(parts));
  });
}

function nextRefOf(parts: NodeParts): () => string {
  const incarnation = incarnationOf(parts.core.self);
  let refs = 0;
  const nextRef =
    refsOf.get(parts) ??
    (() => {
      refs += 1;
      return `${incarnation}.${refs.toString(36)}`;
    });
  refsOf.set(parts, nextRef);
  return nextRef;
}

function sharedBy<T>(
  all: WeakMap<NodeParts, Map<string, T>>,
  parts: NodeParts,
  name: string,
  make: () => T,
): T {
  const byName = all.get(parts) ?? new Map<string, T>();
  all.set(parts, byName);
  const known = byName.get(name) ?? make();
  byName.set(name, known);
  return known;
}

function groupsOf({ scopes }: NodeParts) {
  const scope = scopes.get(DEFAULT_SCOPE);
  if (scope === undefined) throw new InvariantError("the default scope is open");
  return scope.groups;
}
