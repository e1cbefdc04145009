import {
  bytes,
  defineMessages,
  type Field,
  type MessageOf,
  nat,
  optional,
  pid,
  text,
  tuple,
} from "../bus/wire-schema.ts";
import { MalformedError } from "../kernel/malformed.ts";
import { quote } from "../kernel/quote.ts";
import { exitReason } from "../monitor/reason-wire.ts";
import { REPEATED_FAMILY, type Stream } from "./frame.ts";
import { trace } from "./trace-wire.ts";

/** Why a call was not answered, where it was not the caller that gave up. */
export type FailureCause =
  /** The process has ended, or ended before it answered. */
  | "noSuchProcess"
  | "mailboxFull"
  /** It does not hold the strict name that was called: the handler was not run. */
  | "notHolder"
  /** The handler threw, or gave what cannot be sent. */
  | "threw";

const CAUSES: readonly FailureCause[] = ["noSuchProcess", "mailboxFull", "threw", "notHolder"];

const failureCause: Field<FailureCause> = {
  read(wire) {
    const held = CAUSES[nat.read(wire)];
    if (held !== undefined) return held;
    throw new MalformedError(`${quote(wire)} instead of the number of a cause`);
  },
  write: (held) => CAUSES.indexOf(held),
};

/** Only for the holder of this strict name. */
const scopedName = tuple({ scope: text, name: text });

/** What processes say to each other, where each message is different: the segments of family `USER_FAMILY`. Payloads are encoded values. */
export const userMessages = defineMessages({
  /** To the process of that serial on the receiving node. */
  call: [
    91,
    {
      to: nat,
      call: nat,
      timeoutMs: nat,
      payload: bytes,
      from: optional(pid),
      holding: optional(scopedName),
    },
  ],
  reply: [92, { call: nat, payload: bytes }],
  /** `mailbox`: how many may wait there, for `mailboxFull`. `reason` and `trace`: what the handler threw, for `threw`. */
  failure: [
    93,
    {
      call: nat,
      cause: failureCause,
      mailbox: optional(nat),
      reason: optional(exitReason),
      trace: optional(trace),
    },
  ],
});

export type UserMessage = MessageOf<typeof userMessages>;

/** What the messages of a segment of family `REPEATED_FAMILY` have in common; each payload is an encoded value. */
export const preludes = defineMessages({
  send: [90, { to: nat, from: optional(pid), holding: optional(scopedName) }],
  /** To every member of the group on the receiving node. */
  group: [94, { scope: text, group: text, from: optional(pid), except: optional(pid) }],
});

export type Prelude = MessageOf<typeof preludes>;

/** A stream of messages that differ in their payloads only. */
export function repeatedStream(prelude: Prelude): Stream {
  return { family: REPEATED_FAMILY, prelude: preludes.encode(prelude) };
}
