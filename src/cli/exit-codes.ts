import { constants } from "node:os";
import {
  BusClosedError,
  IndeterminateError,
  InvalidArgumentError,
  LeaseLostError,
  NameTakenError,
  NodeDownError,
  NoLeasesError,
  NoQuorumError,
  NoSuchNameError,
  NoSuchProcessError,
  TimeoutError,
  UnauthorizedError,
} from "../index.ts";

/** What the exit codes of `rollcall` mean. docs/cli.md tells them to users; scripts count on them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  misused: 2,
  /** Nobody holds the name, or is in the group. */
  nobody: 3,
  /** The bus, a majority of the lease servers, or whoever was asked, did not answer. */
  outOfReach: 4,
  /** Somebody else holds the name. */
  nameLost: 5,
  /** A command that is to be run cannot be, or was not found: as shells have it. */
  cannotRun: 126,
  notFound: 127,
} as const;

/** As shells have it for what a signal ended. */
const SIGNALLED = 128;
/** Something that a command says to whoever called it, in one line. */
export class CommandError extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const BY_CLASS = [
  [EXIT.misused, [InvalidArgumentError, NoLeasesError]],
  [EXIT.nobody, [NoSuchNameError, NoSuchProcessError]],
  [
    EXIT.outOfReach,
    [BusClosedError, IndeterminateError, NodeDownError, NoQuorumError, TimeoutError, UnauthorizedError],
  ],
  [EXIT.nameLost, [NameTakenError, LeaseLostError]],
] as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  const found = BY_CLASS.find(([, classes]) => classes.some((oneOf) => error instanceof oneOf));
  return found?.[0] ?? EXIT.failed;
}

export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return SIGNALLED + constants.signals[signal];
}
