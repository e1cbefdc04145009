import { createConnection } from "node:net";
import type { Clock } from "../../kernel/clock.ts";
import { isRecord } from "../loose.ts";

/** A NATS server's INFO line is about 1 KiB; in a large cluster, which lists its members, tens. */
const GREETING_BYTES = 65_536;
const INFO_LINE = /^INFO\s+(.+?)\s*$/i;
const ERROR_LINE = /^-ERR\s+'(.*)'\s*$/i;

export type Greeting =
  | { readonly kind: "greeted"; readonly info: Readonly<Record<string, unknown>> }
  /** Nobody listens, or the way there is closed. */
  | { readonly kind: "refused"; readonly error: Error }
  /** Connected, but nothing was said, or the connection was not made, in the time given. */
  | { readonly kind: "silent"; readonly error: Error }
  /** A server that says why it does not take this client: it has as many as it may, say. */
  | { readonly kind: "turnedAway"; readonly error: Error }
  /** Something listens that is not NATS. */
  | { readonly kind: "foreign"; readonly error: Error };

export interface GreetingRequest {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Asks who listens at an address, by waiting for the INFO line that a NATS server says first, and leaves nothing behind,
 * whatever is there. The NATS client cannot be asked: it leaves its socket open when the other side is silent, and cannot be
 * aborted. Resolves with the kind "refused" when the signal aborts.
 */
export function readGreeting(request: GreetingRequest): Promise<Greeting> {
  const { host, port, signal } = request;
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    let text = "";
    const settle = (greeting: Greeting): void => {
      cancel();
      signal.removeEventListener("abort", onAbort);
      // It may still report an error, which nobody needs any more; unheard, it would be thrown.
      socket.removeAllListeners().on("error", () => undefined);
      socket.destroy();
      resolve(greeting);
    };
    const onAbort = (): void => settle({ kind: "refused", error: new Error("aborted") });
    const cancel = request.clock.after(request.timeoutMs, () => {
      settle({ kind: "silent", error: new Error(`no greeting within ${request.timeoutMs} ms`) });
    });
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) return onAbort();
    // A host name with several addresses gives one error for all of them, with a code and no words.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const worded =
        error.message === "" ? new Error(error.code ?? "no address answers", { cause: error }) : error;
      settle({ kind: "refused", error: worded });
    });
    socket.on("close", () =>
      settle({ kind: "refused", error: new Error("the connection was closed before any greeting") }),
    );
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!text.includes("\n") && text.length < GREETING_BYTES) return;
      settle(readInfo(text));
    });
  });
}

function readInfo(text: string): Greeting {
  const line = text.slice(0, text.indexOf("\n"));
  const reason = ERROR_LINE.exec(line)?.[1];
  if (reason !== undefined) {
    return { kind: "turnedAway", error: new Error(`it refuses connections: ${reason}`) };
  }
  const json = INFO_LINE.exec(line)?.[1];
  try {
    const info: unknown = json === undefined ? undefined : JSON.parse(Buffer.from(json, "latin1").toString());
    if (isRecord(info)) return { kind: "greeted", info };
  } catch {
    // Not JSON: not NATS.
  }
  return { kind: "foreign", error: new Error("what listens there is not a NATS server") };
}
