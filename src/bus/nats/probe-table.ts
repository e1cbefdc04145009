/**
 * Probes sent whose answer may still come. An answer comes within a round trip or never (someone was there), so the oldest
 * are forgotten first; at ten probes a second this remembers a minute and a half.
 */
const OUTSTANDING_PROBES = 1_024;

export class ProbeTable {
  readonly #subjects = new Map<string, string>();
  #last = 0;

  /** @returns the token under which the answer will come */
  add(subject: string): string {
    if (this.#subjects.size >= OUTSTANDING_PROBES) {
      for (const oldest of this.#subjects.keys()) {
        this.#subjects.delete(oldest);
        break;
      }
    }
    this.#last += 1;
    const token = this.#last.toString(36);
    this.#subjects.set(token, subject);
    return token;
  }

  /** The subject that was probed, once. */
  take(token: string): string | undefined {
    const subject = this.#subjects.get(token);
    this.#subjects.delete(token);
    return subject;
  }

  clear(): void {
    this.#subjects.clear();
  }
}
