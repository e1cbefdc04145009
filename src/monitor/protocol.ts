import {
  type Field,
  flag,
  list,
  nat,
  nodeId,
  optional,
  text,
  type UnionOf,
  type Variants,
} from "../bus/wire-schema.ts";
import { MAX_SCOPES } from "./limits.ts";

const maybeText = optional(text);

/** The bus may not say which server it is. */
const serverId: Field<string> = {
  read: (wire) => maybeText.read(wire) ?? "",
  write: (held) => maybeText.write(held === "" ? undefined : held),
};

const scopes = list(text, MAX_SCOPES);

/** How nodes find each other, and find out who is gone. */
export const membershipMessages = {
  /**
   * Broadcast by a node that starts or reconnects; otherwise to one peer, as a challenge, as the answer to one, or both.
   * New parts go last and are optional, for ever: two versions that have none in common must still read each other's hello.
   */
  hello: [
    1,
    {
      /** To be echoed by whoever wants to be up at the sender; 0: not needed. */
      nonce: nat,
      /** The nonce that this answers; 0: none. */
      echo: nat,
      wantReply: flag,
      minVersion: nat,
      maxVersion: nat,
      serverId,
      /** The sender made sure, before it started, that no other node of its name was alive. */
      replaces: flag,
      scopes,
      /** To one peer: that one is not up at the sender, which will know nothing of what it was told before. */
      anew: flag,
      scopesRevision: nat,
      /** How often the sender beats now. */
      beatMs: nat,
    },
  ],
  goodbye: [2, {}],
  /** `silent`: to the one it is about, are you alive? Otherwise to all: its connection seems to be gone, look yourselves. */
  rumour: [3, { about: nodeId, silent: flag }],
  /** Goes with each heartbeat. */
  pulse: [4, { beatMs: nat, scopesRevision: nat }],
  scopesChanged: [5, { revision: nat, scopes }],
  /** To a later node of the same name: you must close. Echoes its nonce, so that no old one closes anybody. */
  duplicate: [6, { echo: nat }],
  /** On the subject of a node name: who has it? */
  nodeNameAsk: [7, {}],
  nodeNameHeld: [8, {}],
} as const satisfies Variants;

export type MembershipMessage = UnionOf<typeof membershipMessages>;
export type Hello = Extract<MembershipMessage, { kind: "hello" }>;
