/** What the client calls a join, or a message: any text, told back as it came. */
export type Ref = string | null;

/** What a client says, by either transport. */
export interface ClientMessage {
  readonly joinRef: Ref;
  readonly ref: Ref;
  readonly topic: string;
  readonly event: string;
  /** Whatever JSON can say, or bytes. */
  readonly payload: unknown;
}

/** What a client is told. Payloads are whatever JSON can say, or bytes. */
export type ServerMessage =
  | {
      readonly kind: "reply";
      readonly joinRef: Ref;
      readonly ref: Ref;
      readonly topic: string;
      readonly status: string;
      readonly response: unknown;
    }
  | {
      readonly kind: "push";
      readonly joinRef: Ref;
      readonly topic: string;
      readonly event: string;
      readonly payload: unknown;
    }
  | { readonly kind: "broadcast"; readonly topic: string; readonly event: string; readonly payload: unknown }
  | { readonly kind: "closed"; readonly joinRef: Ref; readonly topic: string }
  | { readonly kind: "crashed"; readonly joinRef: Ref; readonly topic: string };

/** What goes over the wire: text, or bytes. */
export type Frame = string | Uint8Array;
