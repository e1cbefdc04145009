import { RollcallError } from "../../kernel/errors.ts";
import type { RunRecord } from "./record.ts";
import type { Member } from "./world.ts";

interface Awaited {
  readonly what: string;
  readonly member: Member;
  isSettled: boolean;
}

/** Every promise that the interface has given: each is settled in the end, and with nothing but an error that has a class. */
export class Promises {
  readonly #record: RunRecord;
  readonly #all: Awaited[] = [];
  /** Those that left in good order. */
  readonly #hasStopped = new Set<Member>();

  constructor(record: RunRecord) {
    this.#record = record;
  }

  /** @param check looks at the result at once, before anything else happens */
  watch<T>(
    member: Member,
    what: string,
    promise: Promise<T>,
    check: { readonly result?: (value: T) => void; readonly error?: (error: RollcallError) => void } = {},
  ): void {
    const awaited: Awaited = { what, member, isSettled: false };
    this.#all.push(awaited);
    const record = this.#record;
    record.observe(member.name, what, "input");
    promise.then(
      (value) => {
        awaited.isSettled = true;
        record.observe(member.name, `${what}: done`);
        check.result?.(value);
      },
      (error: unknown) => {
        awaited.isSettled = true;
        if (!(error instanceof RollcallError)) {
          record.fail("every error has a class", `${what} on ${member.name}: ${String(error)}`);
          return;
        }
        record.observe(member.name, `${what}: ${error.code}`);
        record.mark(`${what.split(" ")[0]} fails: ${error.code}`);
        if (error.code === "INVARIANT")
          record.fail("no rule of the library is broken", `${what} on ${member.name}: ${error.message}`);
        if (error.code === "TIMEOUT" && record.isCalm)
          record.fail("nobody waits long when all is well", `${what} on ${member.name}: ${error.message}`);
        check.error?.(error);
      },
    );
  }

  /** Whether a program waits for the answer about a name, on any node or on this one. */
  isNameAsked(on?: Member): boolean {
    return this.#all.some(
      ({ what, member, isSettled }) =>
        !isSettled &&
        !what.startsWith("call ") &&
        (member.state === "running" || member.state === "leaving") &&
        (on === undefined || member === on),
    );
  }

  stopped(member: Member): void {
    this.#hasStopped.add(member);
  }

  atRest(): void {
    for (const { what, member, isSettled } of this.#all) {
      // Nobody waits any more where the OS process was killed.
      const isKilled = member.state === "gone" && member.node !== undefined && !this.#hasStopped.has(member);
      if (!isSettled && !isKilled) this.#record.fail("every promise is settled", `${what} on ${member.name}`);
    }
  }
}
