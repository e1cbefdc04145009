import type { ItemBytes, Round } from "./contest.ts";

/** The first message to a worker. */
export interface Setup {
  readonly kind: "setup";
  readonly index: number;
  readonly url: string;
  /** The nats-server: a worker that is left alone ends it, for then nobody else can. */
  readonly serverPid: number;
  readonly benchmark: string;
}

/** A method of a part. */
export type Step = "prepare" | "arrived" | "send" | "clear";

export type Command =
  | { readonly kind: "open"; readonly contestant: string }
  | { readonly kind: "step"; readonly contestant: string; readonly step: Step; readonly round: Round }
  | { readonly kind: "tally" }
  | { readonly kind: "stop" };

export type Request = Setup | (Command & { readonly id: number });

export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly id: number; readonly done: Done }
  | { readonly kind: "failed"; readonly id: number | undefined; readonly text: string };

export interface Done {
  /** Milliseconds on a clock that all processes of a machine share. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** What this process's node has sent since it last prepared a round. Bytes, not per item. */
  readonly sent: ItemBytes;
}
