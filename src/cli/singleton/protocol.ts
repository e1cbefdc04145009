import type { Socket } from "node:net";
import type { Now } from "../../kernel/clock.ts";

/*
 * What a runner and its watchdog tell each other, as lines of JSON over a pipe that ends with either of them. Deadlines are
 * absolute, on the clocks that both share: however late one is read, it says the same.
 */

/** When to signal whom. */
export interface GuardTimes {
  /** SIGTERM is sent when so much is left of the deadline, and no later one was told. */
  readonly warnMs: number;
  /** How long after SIGTERM comes SIGKILL, if the deadline allows so much. */
  readonly graceMs: number;
  /** SIGKILL is sent so long before the deadline: signals and timers take their time. */
  readonly marginMs: number;
}

export type ToWatchdog =
  | {
      readonly kind: "setup";
      readonly command: readonly string[];
      readonly times: GuardTimes;
      readonly deadline: Now;
    }
  /** The runner knows the group now, and would end it: the command may begin. */
  | { readonly kind: "go" }
  | { readonly kind: "deadline"; readonly deadline: Now }
  | { readonly kind: "lost" }
  | { readonly kind: "pass"; readonly signal: NodeJS.Signals };

/** How a command ended. `isLost`: it was made to, because the name was lost or about to be. */
export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly isLost: boolean;
}

export type FromWatchdog =
  | { readonly kind: "started"; readonly group: number }
  | ({ readonly kind: "ended" } & CommandEnd);

/** Reads lines until the other end is gone, by whatever cause: then `onGone`, once, when all lines were told. */
export function readLines<M>(socket: Socket, onLine: (message: M) => void, onGone: () => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(JSON.parse(line) as M);
  });
  // It is told by the end.
  socket.on("error", () => undefined);
  socket.once("close", onGone);
}

export function writeLine(socket: Socket, message: ToWatchdog | FromWatchdog): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}
