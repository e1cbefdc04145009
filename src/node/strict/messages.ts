import { flag, nat, text, type UnionOf, type Variants } from "../../bus/wire-schema.ts";

/** What nodes say to each other about leases. All of it can be lost: servers and time decide, this makes it quick. */
export const leaseMessages = {
  /** Votes do not tell whether you hold this name with this token: do you, now? */
  leaseAsk: [100, { question: nat, scope: text, name: text, claim: nat, token: nat }],
  leaseAnswer: [101, { question: nat, holds: flag }],
  /** A name that you wait for is free, and kept for you. */
  leaseTurn: [102, { scope: text, name: text }],
} as const satisfies Variants;

export type LeaseMessage = UnionOf<typeof leaseMessages>;
