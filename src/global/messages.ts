import {
  flag,
  list,
  nat,
  nodeId,
  oneOf,
  optional,
  pid,
  text,
  tuple,
  type UnionOf,
  type Variants,
} from "../bus/wire-schema.ts";
import { stamp, value } from "../bus/wire-value.ts";
import { MAX_CONTENDERS, supersedes } from "./name-ops.ts";

const MAX_NODES = 10_000;

const refs = list(tuple({ owner: nodeId, id: nat }), MAX_CONTENDERS);
const losers = oneOf({ exit: [0, {}], notify: [1, {}] });

/** Who may decide about free names while nodes come and go: docs/architecture.md, "Joining and leaving". */
export const handoverMessages = {
  /** To a peer: tell me when nothing you asked without me is open any more. */
  joinAsk: [30, { scope: text, session: nat }],
  /** Nothing is, and all of it stands in my log up to `position`. `peers`: whom else I know. */
  joinAck: [31, { scope: text, session: nat, position: nat, peers: list(nodeId, MAX_NODES) }],
  /** I know all that was decided without me: from now on I may be asked alone. */
  active: [32, { scope: text, session: nat }],
  /** Have you all that you need of me? */
  activeAsk: [33, { scope: text, session: nat }],
  leaving: [34, { scope: text }],
  leaveAck: [35, { scope: text, position: nat }],
  /** What was decided by me alone stands in these logs: apply them, so that you can do without me. */
  leaveSync: [36, { scope: text, positions: list(tuple({ node: nodeId, position: nat }), MAX_NODES) }],
  leaveSynced: [37, { scope: text }],
} as const satisfies Variants;

/** How a free name is given out, by the arbiter that the nodes' ids and the name choose. */
export const claimMessages = {
  /** `expect`: take it over only from this registration (a transfer). `seen`: what the claimer sees under the name. */
  claim: [
    40,
    {
      scope: text,
      claim: nat,
      name: text,
      takeover: flag,
      expect: optional(tuple({ owner: nodeId, id: nat })),
      seen: refs,
    },
  ],
  granted: [41, { scope: text, claim: nat, name: text, current: supersedes }],
  refused: [42, { scope: text, claim: nat, holder: optional(pid) }],
  /** It will be answered; somebody else is being waited for. */
  parked: [43, { scope: text, claim: nat }],
  claimReleased: [44, { scope: text, claim: nat, name: text }],
  /** To an owner: does this registration of yours stand? `id` 0: is this claim of yours open? */
  confirm: [45, { scope: text, name: text, id: nat, claim: nat }],
  confirmed: [46, { scope: text, name: text, id: nat, claim: nat, stands: flag, position: nat }],
} as const satisfies Variants;

/** How one of several contenders is chosen, once. */
export const clashMessages = {
  promise: [50, { scope: text, clash: text, name: text, id: nat }],
  promised: [
    51,
    {
      scope: text,
      clash: text,
      name: text,
      id: nat,
      status: oneOf({ promised: [0, {}], busy: [1, {}], gone: [2, {}] }),
      position: nat,
      /** All entries of the name that the promiser knows of, with what wrote them: the decider must have read as far. */
      known: list(tuple({ owner: nodeId, sequence: nat }), MAX_CONTENDERS),
    },
  ],
  unpromise: [52, { scope: text, clash: text, name: text }],
  pin: [
    53,
    {
      scope: text,
      clash: text,
      name: text,
      id: nat,
      losers: refs,
      how: losers,
      meta: optional(value),
      contenders: list(tuple({ pid, meta: value, stamp, revision: nat }), MAX_CONTENDERS),
      /** What the losers had superseded: it must not come back with their end. */
      inherited: optional(supersedes),
    },
  ],
  pinned: [54, { scope: text, clash: text, name: text, done: flag, position: nat }],
  /** To the decider a promise was given to: is that clash still open? */
  promiseCheck: [55, { scope: text, clash: text, name: text }],
} as const satisfies Variants;

const outcome = oneOf({
  /** It stands as operation `id`, last written as number `position`. */
  registered: [0, { id: nat, position: nat }],
  flag: [1, { value: flag, position: nat }],
  /** Somebody wrote in between: look again once this much is applied. */
  conflict: [2, { position: nat }],
  taken: [3, { holder: optional(pid) }],
  noSuchName: [4, {}],
  noSuchProcess: [5, {}],
  /** `leaving`: it answered that itself, for it is about to stop. */
  nodeDown: [6, { node: nodeId, leaving: optional(flag) }],
  limit: [7, { limit: text, allowed: nat }],
  /** The process lives elsewhere now: the same question goes to that node. */
  elsewhere: [8, { owner: nodeId, id: nat, position: nat }],
});

/** What is asked of the node of a process: the only writer of its entries. */
export const requestMessages = {
  request: [
    60,
    {
      scope: text,
      request: nat,
      command: oneOf({
        register: [0, { name: text, pid, meta: value, takeover: flag }],
        update: [1, { name: text, id: nat, sequence: nat, meta: value }],
        transfer: [2, { name: text, to: pid }],
        /** From the owner that gives the name away. */
        adopt: [3, { name: text, pid, meta: value, from: tuple({ owner: nodeId, id: nat }) }],
        unregister: [4, { name: text, pid: optional(pid) }],
      }),
    },
  ],
  response: [61, { scope: text, request: nat, outcome }],
  /** The caller gave up: withdraw it, or give back what it got. Said again until it is confirmed. */
  requestAbandoned: [62, { scope: text, request: nat }],
  requestWithdrawn: [63, { scope: text, request: nat }],
} as const satisfies Variants;

export type HandoverMessage = UnionOf<typeof handoverMessages>;
export type ClaimMessage = UnionOf<typeof claimMessages>;
export type ClashMessage = UnionOf<typeof clashMessages>;
export type RequestMessage = UnionOf<typeof requestMessages>;
export type NameMessage = HandoverMessage | ClaimMessage | ClashMessage | RequestMessage;
export type Command = Extract<RequestMessage, { kind: "request" }>["command"];
export type Outcome = Extract<RequestMessage, { kind: "response" }>["outcome"];
