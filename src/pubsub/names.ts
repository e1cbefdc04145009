import { InvalidArgumentError } from "../kernel/errors.ts";
import { checkText } from "../kernel/text.ts";

/** Topics: any Unicode text of 1 to this many bytes of UTF-8. With what stands in front of it a topic is the name of a group. */
export const TOPIC_BYTES = 400;

/** A colon in it would leave open where the topic begins. */
const PUBSUB_NAME = /^[A-Za-z0-9_-]{1,64}$/;

export function checkPubSubName(name: unknown): string {
  if (typeof name === "string" && PUBSUB_NAME.test(name)) return name;
  throw new InvalidArgumentError("name", name, "1 to 64 letters, digits, dashes and underscores");
}

export function checkTopic(topic: unknown): string {
  return checkText(topic, "topic", TOPIC_BYTES);
}

/** In front of the topics of one pub-sub: the groups of the nodes that have subscribers. */
export function subscriberGroups(name: string): string {
  return `pubsub:${name}:`;
}

/** In front of its topics: the groups of the processes that are present. */
export function presenceGroups(name: string): string {
  return `presence:${name}:`;
}
