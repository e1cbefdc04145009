import { hasMethod, loose } from "../loose.ts";

/**
 * What we use of a NATS connection, as far as package `nats` (version 2) and `@nats-io/transport-node` (version 3) have it in
 * common, so that a user may hand us either. Neither package is needed for the other.
 */
export interface NatsClient {
  /** Of the connection as it is now: undefined while there is none, and another object after each reconnect. */
  readonly info?: NatsServerInfo | undefined;
  publish(subject: string, data?: Uint8Array, options?: { reply?: string }): void;
  subscribe(subject: string, options: { callback: NatsCallback }): NatsSubscription;
  flush(): Promise<void>;
  status(): AsyncIterable<unknown>;
  closed(): Promise<unknown>;
  close(): Promise<void>;
  isClosed(): boolean;
}

export interface NatsServerInfo {
  readonly server_id: string;
  readonly server_name: string;
  readonly client_id: number;
  readonly max_payload: number;
  readonly headers?: boolean | undefined;
}

export interface NatsSubscription {
  unsubscribe(): void;
  isClosed(): boolean;
}

export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: { readonly code: number } | undefined;
}

export type NatsCallback = (error: Error | null, message: NatsMessage) => void;

/** What both packages tell through `status()`, in one form. */
export type NatsEvent =
  | { readonly kind: "dropped" }
  /** The server stopped answering: the client has given the connection up, but may be stuck in it. */
  | { readonly kind: "stale" }
  | { readonly kind: "dialing" }
  | { readonly kind: "reconnected" }
  | { readonly kind: "stopping" }
  | { readonly kind: "refused"; readonly operation: string; readonly subject: string }
  | { readonly kind: "failed"; readonly reason: string };

export function readNatsEvent(status: unknown): NatsEvent | undefined {
  switch (loose<"type">(status).type) {
    case "disconnect":
    case "forceReconnect":
    case "client initiated reconnect":
      return { kind: "dropped" };
    case "staleConnection":
      return { kind: "stale" };
    case "reconnecting":
      return { kind: "dialing" };
    case "reconnect":
      return { kind: "reconnected" };
    case "ldm":
      return { kind: "stopping" };
    case "error":
      return readError(status);
    default:
      return undefined;
  }
}

/** Version 2 gives a code, and the details beside it; version 3 gives an error that carries them. */
function readError(status: unknown): NatsEvent {
  const { error, permissionContext, data } = loose<"error" | "permissionContext" | "data">(status);
  const { operation, subject } = loose<"operation" | "subject">(permissionContext ?? error);
  if (typeof operation === "string" && typeof subject === "string")
    return { kind: "refused", operation, subject };
  return { kind: "failed", reason: error instanceof Error ? error.message : String(data) };
}

const UNAUTHORIZED_CODES: ReadonlySet<unknown> = new Set([
  "AUTHORIZATION_VIOLATION",
  "AUTHENTICATION_EXPIRED",
  "AUTHENTICATION_TIMEOUT",
  "ACCOUNT_EXPIRED",
  "BAD_AUTHENTICATION",
  "BAD_CREDS",
]);
const UNAUTHORIZED_CLASSES: ReadonlySet<unknown> = new Set([
  "AuthorizationError",
  "UserAuthenticationExpiredError",
]);

/** True for the errors with which either package says that the server does not take these credentials. */
export function isUnauthorized(error: unknown): boolean {
  const { code, name } = loose<"code" | "name">(error);
  return UNAUTHORIZED_CODES.has(code) || UNAUTHORIZED_CLASSES.has(name);
}

/** Ends a `status()` iteration from outside. `return()` would wait for the next event; the queue behind has `stop()`. */
export function stopIterating(statuses: AsyncIterable<unknown>): void {
  if (hasMethod(statuses, "stop")) statuses.stop();
}

/** Each connection to a server has a number of its own there: equal means that nothing was dropped in between. */
export function isSameLink(left: NatsServerInfo, right: NatsServerInfo): boolean {
  return left === right || (left.client_id === right.client_id && left.server_id === right.server_id);
}
