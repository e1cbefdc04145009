import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "./logger.ts";

/** A warning is not repeated for this long. */
const QUIET_MS = 60_000;

/** Says at most once a minute what may happen thousands of times a second. All of it is counted elsewhere. */
export class LogLimiter {
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** When each kind of warning was last given, and how often it was kept back since. */
  readonly #given = new Map<string, { atMs: number; keptBack: number }>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** @param message one of a few texts, which tell the kinds of warnings apart */
  warn(details: object, message: string): void {
    this.#log("warn", details, message);
  }

  /** @param message as with `warn` */
  error(details: object, message: string): void {
    this.#log("error", details, message);
  }

  #log(level: "warn" | "error", details: object, message: string): void {
    const nowMs = this.#clock.now().monotonicMs;
    const last = this.#given.get(message);
    if (last !== undefined && nowMs - last.atMs < QUIET_MS) {
      last.keptBack += 1;
      return;
    }
    this.#given.set(message, { atMs: nowMs, keptBack: 0 });
    this.#logger[level](last === undefined ? details : { ...details, sinceLast: last.keptBack + 1 }, message);
  }
}
