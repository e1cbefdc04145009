/** Who of this node subscribes to what, in the order in which they came. */
export class Subscriptions<S> {
  readonly #byTopic = new Map<string, Set<S>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(topic: string): Iterable<S> {
    return this.#byTopic.get(topic) ?? [];
  }

  /** @returns whether it is the first of its topic */
  add(topic: string, subscription: S): boolean {
    this.#size += 1;
    const known = this.#byTopic.get(topic);
    if (known === undefined) this.#byTopic.set(topic, new Set([subscription]));
    else known.add(subscription);
    return known === undefined;
  }

  /** @returns whether it was the last of its topic */
  remove(topic: string, subscription: S): boolean {
    const known = this.#byTopic.get(topic);
    if (known?.delete(subscription) !== true) return false;
    this.#size -= 1;
    if (known.size > 0) return false;
    this.#byTopic.delete(topic);
    return true;
  }
}
