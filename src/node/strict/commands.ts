import { NoSuchProcessError } from "../../kernel/errors.ts";
import type { Value } from "../../kernel/value.ts";
import type { LocalProcess } from "../process.ts";
import { Wait, type WaitOptions, type Waits } from "../waits.ts";
import type { HeldLease } from "./lease.ts";
import { BACKSTOP_MS } from "./limits.ts";
import type { StrictHolder } from "./types.ts";

const LONGEST_MS = 2_147_483_647;

/** What a command needs to know of those that it is among. */
export interface CommandTable {
  readonly waits: Waits;
  /** It has ended. */
  forget(command: number): void;
  /** Nobody waits for it any more. */
  withdraw(command: number): void;
  /** Why a command whose time is over came to nothing. */
  overdue(options: WaitOptions): Error;
}

/** Somebody who waits for lease servers. */
abstract class LeaseCommand<T> extends Wait<T> {
  readonly id: number;
  readonly key: string;
  readonly options: WaitOptions;
  readonly #table: CommandTable;

  constructor(table: CommandTable, id: number, key: string, options: WaitOptions) {
    super(table.waits, { ...options, timeoutMs: Math.min(options.timeoutMs + BACKSTOP_MS, LONGEST_MS) });
    this.id = id;
    this.key = key;
    this.options = options;
    this.#table = table;
  }

  override expire(): void {
    if (this.settled) return;
    this.gaveUp();
    this.reject(this.#table.overdue(this.options));
  }

  protected override forget(): void {
    this.#table.forget(this.id);
  }

  protected override gaveUp(): void {
    this.#table.withdraw(this.id);
  }
}

export interface Registering {
  readonly scope: string;
  readonly name: string;
  readonly process: LocalProcess;
  readonly meta: Value;
  readonly isWaiting: boolean;
  readonly onLost: "exit" | "notify";
}

/** A `register` under way. */
export class RegisterCommand extends LeaseCommand<HeldLease> {
  readonly of: Registering;
  /** Whether the machine knows of it. */
  hasBegun = false;

  constructor(table: CommandTable, id: number, key: string, options: WaitOptions, of: Registering) {
    super(table, id, key, options);
    this.of = of;
  }

  /** The process has ended, or takes no more names. */
  abandon(error: Error = new NoSuchProcessError(this.of.process.pid)): void {
    if (this.settled) return;
    this.gaveUp();
    this.reject(error);
  }
}

/** A `lookup` under way. */
export class LookupCommand extends LeaseCommand<StrictHolder | undefined> {}
