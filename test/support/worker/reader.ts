import type { ClusterNode } from "../../../src/index.ts";

/** A moment from which a reader found nobody under a name. */
export interface Vanished {
  readonly name: string;
  /** Of the registration that was there just before. */
  readonly revision: string;
  readonly by: "whereis" | "watch";
}

export interface Readings {
  readonly vanished: readonly Vanished[];
  /** How often it asked for all names. */
  readonly looks: number;
  readonly resyncs: number;
}

/** Not at each turn of the event loop: six processes that never rest would leave no time for what they look at. */
const LOOK_EVERY_MS = 1;

/** Reads names in two ways: it watches them, which shows every change; and asks again and again. */
export class Reader {
  readonly #node: ClusterNode;
  readonly #names: readonly string[];
  readonly #ended = new AbortController();
  readonly #seen = new Map<string, string>();
  readonly #vanished: Vanished[] = [];
  readonly #watching: Promise<void>;
  #looks = 0;
  #resyncs = 0;

  constructor(node: ClusterNode, names: readonly string[]) {
    this.#node = node;
    this.#names = names;
    this.#watching = this.#watch();
    this.#look();
  }

  async end(): Promise<Readings> {
    this.#ended.abort();
    await this.#watching;
    return { vanished: this.#vanished, looks: this.#looks, resyncs: this.#resyncs };
  }

  async #watch(): Promise<void> {
    let ended: Vanished | undefined;
    for await (const event of this.#node.names.watch(undefined, { signal: this.#ended.signal })) {
      // A change of holder is told as an end, and right behind it a beginning.
      const isReplaced = event.kind === "registered" && event.registration.name === ended?.name;
      if (ended !== undefined && !isReplaced) this.#vanished.push(ended);
      ended = undefined;
      if (event.kind === "unregistered") {
        const { name, revision } = event.registration;
        ended = { name, revision, by: "watch" };
      }
      if (event.kind === "resync") this.#resyncs += 1;
    }
    if (ended !== undefined) this.#vanished.push(ended);
  }

  #look(): void {
    if (this.#ended.signal.aborted) return;
    this.#looks += 1;
    for (const name of this.#names) {
      const revision = this.#node.names.whereis(name)?.revision;
      const before = this.#seen.get(name);
      if (revision !== undefined) this.#seen.set(name, revision);
      else if (before !== undefined) {
        this.#seen.delete(name);
        this.#vanished.push({ name, revision: before, by: "whereis" });
      }
    }
    setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }
}
