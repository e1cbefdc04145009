/**
 * Which answers come too late to count. A server that leads the log and is cut off goes on taking what it is given. On nats-server 2.9
 * it carries that out when it is back, in its own copy only, and so answers what was asked long ago. So when nothing has come back for
 * a while, nothing that was asked until then is answered any more. What is asked afterwards is seen by all.
 */
export class Patience {
  readonly #mostMs: number;
  /** Since when something is waited for without a word. */
  #sinceMs: number | undefined;
  #last = 0;
  #lateUpTo = 0;

  constructor(mostMs: number) {
    this.#mostMs = mostMs;
  }

  asked(number: number, nowMs: number): void {
    this.#last = number;
    this.#sinceMs ??= nowMs;
  }

  /** This entry has been read back. @returns whether that was too late */
  isLate(number: number, nowMs: number): boolean {
    if (this.#sinceMs !== undefined && nowMs - this.#sinceMs > this.#mostMs) this.#lateUpTo = this.#last;
    this.#sinceMs = number < this.#last ? nowMs : undefined;
    return number <= this.#lateUpTo;
  }
}
