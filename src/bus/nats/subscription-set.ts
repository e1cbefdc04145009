import type { NatsCallback, NatsClient, NatsSubscription } from "./client.ts";

interface Entry {
  readonly callback: NatsCallback;
  subscription: NatsSubscription | undefined;
}

/** What one connection listens to. The client renews subscriptions at each reconnect, but not those that were refused. */
export class SubscriptionSet {
  readonly #client: NatsClient;
  readonly #entries = new Map<string, Entry>();

  constructor(client: NatsClient) {
    this.#client = client;
  }

  add(subject: string, callback: NatsCallback): void {
    if (this.#entries.has(subject)) return;
    this.#entries.set(subject, { callback, subscription: this.#subscribe(subject, callback) });
  }

  remove(subject: string): void {
    const entry = this.#entries.get(subject);
    this.#entries.delete(subject);
    if (!this.#client.isClosed()) entry?.subscription?.unsubscribe();
  }

  removeAll(): void {
    for (const subject of [...this.#entries.keys()]) this.remove(subject);
  }

  /** The client forgets a subscription that the server refused. The permissions may have changed since. */
  renewRefused(): void {
    for (const [subject, entry] of this.#entries) {
      if (entry.subscription?.isClosed() === false) continue;
      entry.subscription = this.#subscribe(subject, entry.callback);
    }
  }

  #subscribe(subject: string, callback: NatsCallback): NatsSubscription | undefined {
    try {
      return this.#client.subscribe(subject, { callback });
    } catch {
      // Closed or draining by the user's hand: the status tells.
      return undefined;
    }
  }
}
