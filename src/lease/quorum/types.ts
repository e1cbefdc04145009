import type { LeaseReply, LeaseRequest, Vote } from "../requests.ts";

/** What reaches the quorum machine. A `command` is a number that the caller chose; it is used once. */
export type LeaseInput =
  /** There is a new connection to this server. */
  | { readonly kind: "connected"; readonly server: number }
  | { readonly kind: "disconnected"; readonly server: number }
  | { readonly kind: "reply"; readonly server: number; readonly id: number; readonly reply: LeaseReply }
  /** Answered by `granted` or `refused`. `wait`: stands in line while somebody has it. */
  | {
      readonly kind: "acquire";
      readonly command: number;
      readonly name: string;
      readonly value: Uint8Array;
      readonly wait: boolean;
      readonly timeoutMs: number;
    }
  /** Answered by `found` or `refused`. */
  | { readonly kind: "lookup"; readonly command: number; readonly name: string; readonly timeoutMs: number }
  /** Nobody waits for this `acquire` or `lookup` any more: it is withdrawn, and not answered. */
  | { readonly kind: "cancel"; readonly command: number }
  /** Answered by `released`. The name is not held from here on, whatever the servers say. */
  | { readonly kind: "release"; readonly command: number; readonly name: string; readonly claim: number }
  /** Releases many, with few requests. Answered by one `released`, `confirmed` if all of them are. */
  | {
      readonly kind: "releaseAll";
      readonly command: number;
      readonly claims: readonly { readonly name: string; readonly claim: number }[];
    }
  /** To `ask`. */
  | { readonly kind: "answer"; readonly question: number; readonly holds: boolean }
  /** Somebody who released this name says that it is this node's turn. */
  | { readonly kind: "yourTurn"; readonly name: string }
  /** Ends all sessions. Nothing else may follow. */
  | { readonly kind: "close" }
  /** It is `deadlineMs`. */
  | { readonly kind: "tick" };

export type LeaseEffect =
  | { readonly kind: "send"; readonly server: number; readonly id: number; readonly request: LeaseRequest }
  | {
      readonly kind: "granted";
      readonly command: number;
      readonly name: string;
      readonly claim: number;
      readonly token: number;
    }
  | { readonly kind: "refused"; readonly command: number; readonly refusal: Refusal }
  | { readonly kind: "found"; readonly command: number; readonly holder: Vote | undefined }
  /** The name is not held any more. It comes before anybody else can be granted it, if clocks keep within their bound. */
  | { readonly kind: "lost"; readonly name: string; readonly claim: number; readonly token: number }
  /** `confirmed`: a majority has taken note, so no `lookup` shows it any more. Else it does, until the session has expired. */
  | { readonly kind: "released"; readonly command: number; readonly confirmed: boolean }
  /** Does that node hold the name, at this moment (`QuorumMachine.holds`)? To be answered by `answer`, or not at all. */
  | ({ readonly kind: "ask"; readonly question: number; readonly owner: string } & HoldingQuestion)
  /** That node is to be told `yourTurn`. Losing it costs time only. */
  | { readonly kind: "passOn"; readonly owner: string; readonly name: string }
  /** For an operator. */
  | { readonly kind: "warning"; readonly server: number; readonly message: string };

export interface HoldingQuestion {
  readonly name: string;
  readonly claim: number;
  readonly token: number;
}

/** How many servers take part, of how many that are needed. */
export interface Quorum {
  readonly reached: number;
  readonly needed: number;
  /** Those that answer, and keep out for now. */
  readonly keptOut: number;
  /** For how long the last of these does so at least; 0: that is not known. */
  readonly keptOutMs: number;
}

/** Why an `acquire` or a `lookup` came to nothing. */
export type Refusal =
  /** Somebody holds it, or is about to. */
  | { readonly kind: "taken"; readonly vote: Vote }
  | ({ readonly kind: "noQuorum" } & Quorum)
  /** The votes did not tell whether somebody holds it, and who may hold it did not answer. */
  | { readonly kind: "indeterminate" }
  | { readonly kind: "timeout" }
  /** There are no higher tokens. */
  | { readonly kind: "exhausted" };
