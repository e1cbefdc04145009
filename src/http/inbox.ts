/** One event for a session's client, encoded once. `id` counts from 1 in each session. */
export interface InboxEvent {
  readonly id: number;
  readonly kind: string;
  /** JSON, with `id` and `kind`. */
  readonly text: string;
}

export interface InboxLimits {
  readonly inboxEvents: number;
  readonly inboxBytes: number;
  /** How many events may wait in all when one that is never left out comes. */
  readonly essentialEvents: number;
}

/** Whether an event may be left out when there is no room. What a session lost is not: whoever does not read even that has to end. */
export type Weight = "droppable" | "essential";

/**
 * What waits for a session's client, in order, and for as long as there is room what it was given lately, for when it comes back
 * and says that it did not get it.
 */
export class Inbox {
  readonly #limits: InboxLimits;
  #events: InboxEvent[] = [];
  #bytes = 0;
  #lastId = 0;
  /** The last one that was given to the client. */
  #givenId = 0;
  #missed = 0;

  constructor(limits: InboxLimits) {
    this.#limits = limits;
  }

  get lastId(): number {
    return this.#lastId;
  }

  /** How many were not given to the client yet. */
  get waiting(): number {
    return Math.min(this.#events.length, this.#lastId - this.#givenId);
  }

  /**
   * False: there was no room, and it was left out; for an essential one, that the client has not read for far too long. The next one that finds room says how many were (`missed`).
   *
   * @param missed how many the process's mailbox had left out in front of it
   */
  push(kind: string, event: Readonly<Record<string, unknown>>, weight: Weight, missed = 0): boolean {
    this.#missed += missed;
    const id = this.#lastId + 1;
    const told = this.#missed > 0 ? { missed: this.#missed } : {};
    const text = JSON.stringify({ id, kind, ...event, ...told });
    if (weight === "droppable" ? !this.#hasRoomFor(text) : this.waiting >= this.#limits.essentialEvents) {
      this.#missed += 1;
      return false;
    }
    this.#missed = 0;
    this.#lastId = id;
    this.#events.push({ id, kind, text });
    this.#bytes += text.length;
    this.#forgetGiven();
    return true;
  }

  /** The client has all up to this one: they are forgotten. */
  acknowledge(id: number): void {
    // All at once: taken off one by one, the rest would be moved as often.
    for (const { text } of this.#events.splice(0, this.#indexAfter(id))) this.#bytes -= text.length;
    this.#givenId = Math.max(this.#givenId, Math.min(id, this.#lastId));
  }

  /** Those after that one, which count as given from now on. */
  takeAfter(id: number): readonly InboxEvent[] {
    const events = this.#events.slice(this.#indexAfter(id));
    this.#givenId = this.#lastId;
    return events;
  }

  /** The first that a new client needs, after whatever an earlier one was given. */
  get unread(): number {
    return this.#givenId;
  }

  #indexAfter(id: number): number {
    const first = this.#events[0]?.id ?? 0;
    return Math.max(0, id + 1 - first);
  }

  #hasRoomFor(text: string): boolean {
    const { inboxBytes, inboxEvents } = this.#limits;
    const from = this.#indexAfter(this.#givenId);
    if (this.#events.length - from >= inboxEvents) return false;
    if (this.#bytes + text.length <= inboxBytes) return true;
    const waitingBytes = this.#events.slice(from).reduce((sum, event) => sum + event.text.length, 0);
    return waitingBytes + text.length <= inboxBytes;
  }

  #forgetGiven(): void {
    const { inboxBytes, inboxEvents } = this.#limits;
    while (
      (this.#events.length > inboxEvents || this.#bytes > inboxBytes) &&
      (this.#events[0]?.id ?? Number.POSITIVE_INFINITY) <= this.#givenId
    )
      this.#forgetFirst();
  }

  #forgetFirst(): void {
    this.#bytes -= this.#events.shift()?.text.length ?? 0;
  }
}
