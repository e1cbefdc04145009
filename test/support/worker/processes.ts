import type { ClusterNode, ExitReason, Handler, Pid, Process } from "../../../src/index.ts";
import type { Received, Sighting } from "./protocol.ts";

/** How long a `slow` process takes, unless told. */
const SLOW_MS = 50;

export type ProcessKind =
  /** Answers with the message. */
  | "echo"
  /** Keeps what it gets, and answers with how much that is by now. */
  | "record"
  /** Answers with the message, after a while. */
  | "slow"
  | "throw"
  /** Never answers. */
  | "hang"
  /** Ends itself at the first message. */
  | "fragile"
  /** Has no handler. */
  | "idle";

export interface ProcessOptions {
  readonly ms?: number;
  readonly mailbox?: number;
  readonly concurrency?: number;
  readonly onError?: "continue" | "exit";
}

/** The processes of one worker: they do canned things, and tell what becomes of them. */
export class CannedProcesses {
  readonly #see: (sighting: Sighting) => void;
  readonly #processes = new Map<Pid, Process>();
  readonly #received = new Map<Pid, Received[]>();

  constructor(see: (sighting: Sighting) => void) {
    this.#see = see;
  }

  spawn(node: ClusterNode, kind: ProcessKind, options: ProcessOptions): Pid {
    const { ms = SLOW_MS, ...spawnOptions } = options;
    const received: Received[] = [];
    const handler = kind === "idle" ? undefined : handlerOf(kind, ms, received);
    const process = node.spawn(handler, {
      ...spawnOptions,
      onNotice: (notice, { self }) => this.#see({ kind: "notice", pid: self.pid, notice }),
    });
    const { pid } = process;
    this.#processes.set(pid, process);
    this.#received.set(pid, received);
    void process.exited.then((reason) => this.#see({ kind: "exited", pid, reason }));
    return pid;
  }

  exit(pid: Pid, reason: ExitReason | undefined): void {
    this.#processes.get(pid)?.exit(reason);
  }

  isAlive(pid: Pid): boolean {
    return this.#processes.get(pid)?.signal.aborted === false;
  }

  received(pid: Pid): readonly Received[] {
    return this.#received.get(pid) ?? [];
  }
}

function handlerOf(kind: Exclude<ProcessKind, "idle">, ms: number, received: Received[]): Handler {
  switch (kind) {
    case "echo":
      return (message) => message;
    case "record":
      return (message, { from }) => received.push({ message, from });
    case "slow":
      return (message) => new Promise((resolve) => void setTimeout(() => resolve(message), ms));
    case "throw":
      return (message) => {
        throw new RangeError(`no good: ${String(message)}`);
      };
    case "hang":
      return () => new Promise(() => {});
    case "fragile":
      return (_message, { self }) => self.exit();
  }
}
