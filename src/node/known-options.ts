import { InvalidArgumentError } from "../kernel/errors.ts";
import type { PubSubOptions, SubscribeOptions } from "./pubsub/types.ts";
import type { StrictRegisterOptions } from "./strict/types.ts";
import type {
  CallOptions,
  DrainOptions,
  PublishOptions,
  ResolvedRegisterOptions,
  ScopeOptions,
  SendOptions,
  SpawnOptions,
  UnregisterOptions,
  WaitingOptions,
  WatchOptions,
} from "./types.ts";

/** The options of one method: all of them, or this does not compile. */
function all<O extends object>(keys: Readonly<Record<keyof O & string, true>>): ReadonlySet<string> {
  return new Set(Object.keys(keys));
}

const waiting = all<WaitingOptions>({ timeoutMs: true, signal: true });
const calling = all<CallOptions>({ timeoutMs: true, signal: true, from: true });
const registering = all<ResolvedRegisterOptions>({
  meta: true,
  resolve: true,
  timeoutMs: true,
  signal: true,
});
const strictRegistering = all<StrictRegisterOptions>({
  meta: true,
  wait: true,
  onLost: true,
  timeoutMs: true,
  signal: true,
});
const watching = all<WatchOptions>({ signal: true });

/** What each method takes, by its name. */
const KNOWN = {
  call: calling,
  createPubSub: all<PubSubOptions>({ name: true, messages: true }),
  count: all<{ readonly node: unknown }>({ node: true }),
  drain: all<DrainOptions>({ deadlineMs: true }),
  flushed: waiting,
  "strictNames.register": strictRegistering,
  lookup: waiting,
  join: all<{ readonly meta: unknown }>({ meta: true }),
  multicall: calling,
  publish: all<PublishOptions>({ from: true, except: true, only: true }),
  register: registering,
  reregister: registering,
  scope: all<ScopeOptions>({ resolve: true, timeoutMs: true, signal: true }),
  send: all<SendOptions>({ from: true }),
  settled: waiting,
  spawn: all<SpawnOptions>({ concurrency: true, mailbox: true, onError: true, onNotice: true }),
  subscribe: all<SubscribeOptions>({ signal: true, mailbox: true }),
  transfer: waiting,
  unregister: all<UnregisterOptions>({ pid: true, timeoutMs: true, signal: true }),
  update: waiting,
  waitFor: waiting,
  watch: watching,
  watchNodes: watching,
} as const;

/**
 * An options object, or none. A key that the method does not know is refused, for it is mostly a slip: `timeout` in place of
 * `timeoutMs` would leave a call without its bound.
 */
export function checkOptions<O extends object>(
  options: O | undefined,
  method: keyof typeof KNOWN,
): O | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null) {
    throw new InvalidArgumentError("options", options, "an object");
  }
  const known = KNOWN[method];
  for (const key in options) {
    // What somebody gave to all objects of the program is no option.
    if (known.has(key) || !Object.hasOwn(options, key)) continue;
    throw new InvalidArgumentError(
      `options.${key}`,
      options[key],
      `nothing: the options of ${method} are ${[...known].join(", ")}`,
    );
  }
  return options;
}
