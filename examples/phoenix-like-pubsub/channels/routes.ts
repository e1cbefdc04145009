import { InvalidArgumentError } from "rollcall";

/** What a topic may have: one byte of a binary frame tells its length. */
export const TOPIC_BYTES = 255;
/** Where heartbeats go. */
export const HEARTBEAT_TOPIC = "phoenix";

/** Which channel a topic has: a pattern is a topic, or the beginning of topics with a `*` behind it. */
export class Routes<Route> {
  readonly #exact = new Map<string, Route>();
  readonly #beginnings: { readonly beginning: string; readonly route: Route }[] = [];

  /** @throws InvalidArgumentError for a pattern that matches nothing, or has its `*` elsewhere */
  constructor(routes: Readonly<Record<string, Route>>) {
    for (const [pattern, route] of Object.entries(routes)) {
      const star = pattern.indexOf("*");
      if (!isTopic(pattern) || (star >= 0 && star !== pattern.length - 1))
        throw new InvalidArgumentError("channels", pattern, "a topic, or the beginning of topics and then *");
      if (star < 0) this.#exact.set(pattern, route);
      else this.#beginnings.push({ beginning: pattern.slice(0, -1), route });
    }
    // The one that says most: "room:staff:*" before "room:*".
    this.#beginnings.sort((left, right) => right.beginning.length - left.beginning.length);
  }

  find(topic: string): Route | undefined {
    if (!isTopic(topic)) return undefined;
    const exact = this.#exact.get(topic);
    return exact ?? this.#beginnings.find(({ beginning }) => topic.startsWith(beginning))?.route;
  }
}

function isTopic(text: string): boolean {
  if (text === "" || text === HEARTBEAT_TOPIC || text.length > TOPIC_BYTES) return false;
  return text.isWellFormed() && Buffer.byteLength(text) <= TOPIC_BYTES;
}
