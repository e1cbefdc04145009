import { flag, list, nat, tuple, type UnionOf, type Variants } from "../bus/wire-schema.ts";
import { ENDS_PER_MESSAGE, SERIALS_PER_MESSAGE } from "./limits.ts";
import { exitReason } from "./reason-wire.ts";

const serials = list(nat, SERIALS_PER_MESSAGE);

/** Between a node that watches processes of another (the watcher), and that other. Processes go by their serials. */
export const monitorMessages = {
  watch: [80, { serials }],
  unwatch: [81, { serials }],
  /** These have ended. Ends are numbered for each watcher, from 1; `first` is the number of the first here. */
  exited: [82, { first: nat, ends: list(tuple({ serial: nat, reason: exitReason }), ENDS_PER_MESSAGE) }],
  /** What the watcher watches there, as a count and a sum of hashes, and the number of the last end it heard of. */
  watchCheck: [83, { count: nat, hash: nat, seen: nat }],
  /** To a watcher: that is not what stands here, say it all. */
  watchResync: [84, {}],
  watchAll: [85, { index: nat, last: flag, serials }],
} as const satisfies Variants;

export type MonitorMessage = UnionOf<typeof monitorMessages>;
export type End = Extract<MonitorMessage, { kind: "exited" }>["ends"][number];
