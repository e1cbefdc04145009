import type { Clock } from "../kernel/clock.ts";
import { DuplicateNodeError, type RollcallError } from "../kernel/errors.ts";
import type { NodeId } from "../kernel/ids.ts";
import { NameClaim, type NameClaimInput } from "../monitor/name-claim.ts";
import type { DetectionTimes } from "../monitor/settings.ts";
import { Alarm } from "./alarm.ts";
import { deferred } from "./deferred.ts";

export interface ClaimRunnerOptions {
  readonly clock: Clock;
  readonly times: DetectionTimes;
  probeName(): void;
  ask(): void;
}

/** Finds out, before a node starts, whether another one of its name is alive. */
export class ClaimRunner {
  readonly #options: ClaimRunnerOptions;
  readonly #claim: NameClaim;
  readonly #alarm: Alarm;
  readonly #outcome = deferred<void>();

  constructor(options: ClaimRunnerOptions) {
    this.#options = options;
    this.#claim = new NameClaim(options.times);
    this.#alarm = new Alarm(options.clock, () => this.#feed({ kind: "tick" }));
  }

  /**
   * Resolves when the name is free.
   *
   * @throws DuplicateNodeError
   */
  async run(): Promise<void> {
    this.#feed({ kind: "start" });
    try {
      await this.#outcome.promise;
    } finally {
      this.#alarm.close();
    }
  }

  busConnected(): void {
    this.#feed({ kind: "busConnected" });
  }

  busDisconnected(): void {
    this.#feed({ kind: "busDisconnected" });
  }

  noResponders(): void {
    this.#feed({ kind: "noResponders" });
  }

  /** A running node says that it has the name. */
  answered(from: NodeId): void {
    this.#feed({ kind: "answer", from });
  }

  abandon(error: RollcallError): void {
    this.#alarm.close();
    this.#outcome.reject(error);
  }

  #feed(input: NameClaimInput): void {
    for (const effect of this.#claim.step(input, this.#options.clock.now())) {
      switch (effect.kind) {
        case "probeName":
          this.#options.probeName();
          break;
        case "ask":
          this.#options.ask();
          break;
        case "free":
          this.#outcome.resolve();
          break;
        case "taken":
          this.#outcome.reject(new DuplicateNodeError(effect.other));
          break;
      }
    }
    this.#alarm.set(this.#claim.deadlineMs);
  }
}
