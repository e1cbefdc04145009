import { BusClosedError } from "../../kernel/errors.ts";
import type { BusConnection, BusConnectOptions } from "../port.ts";

/** What a connection asks of its network. */
export interface Carrier {
  readonly maxPayload: number;
  add(subscription: MemorySubscription): void;
  remove(subscription: MemorySubscription): void;
  publish(from: MemoryConnection, subject: string, data: Uint8Array): void;
  probe(from: MemoryConnection, subject: string): void;
  /** Calls back when everything before has been taken. */
  flush(from: MemoryConnection, taken: () => void): void;
  left(connection: MemoryConnection): void;
}

export interface MemorySubscription {
  readonly connection: MemoryConnection;
  readonly pattern: string;
  isLive: boolean;
}

/** One node's connection to a `MemoryNetwork`. The network drops, revives, pauses and ends it. */
export class MemoryConnection implements BusConnection {
  /** Its name in the network, by which faults are addressed. */
  readonly name: string;
  readonly clientName: string;
  /** Goes up at each drop: what was under way before is lost. */
  drops = 0;
  serverId: string;
  epoch = 1;
  readonly #carrier: Carrier;
  readonly #options: BusConnectOptions;
  readonly #subscriptions = new Map<string, MemorySubscription>();
  readonly #flushes = new Set<(error: Error) => void>();
  #isUp = true;
  /** Whether the node has been told of the last drop. */
  #knowsOfDrop = false;
  #hasEnded = false;
  /** What came while the node was paused. */
  #kept: (() => void)[] | undefined;

  constructor(name: string, serverId: string, carrier: Carrier, options: BusConnectOptions) {
    this.name = name;
    this.clientName = options.clientName;
    this.serverId = serverId;
    this.#carrier = carrier;
    this.#options = options;
  }

  /** What the node believes: a drop may not have been noticed yet. */
  get connected(): boolean {
    return (this.#isUp || !this.#knowsOfDrop) && !this.#hasEnded;
  }

  /** What is so. */
  get isUp(): boolean {
    return this.#isUp && !this.#hasEnded;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get maxPayload(): number {
    return this.#carrier.maxPayload;
  }

  subscribe(subject: string): void {
    if (this.#hasEnded || this.#subscriptions.has(subject)) return;
    const subscription = { connection: this, pattern: subject, isLive: true };
    this.#subscriptions.set(subject, subscription);
    if (this.#isUp) this.#carrier.add(subscription);
  }

  unsubscribe(subject: string): void {
    const subscription = this.#subscriptions.get(subject);
    if (subscription === undefined) return;
    subscription.isLive = false;
    this.#subscriptions.delete(subject);
    this.#carrier.remove(subscription);
  }

  publish(subject: string, data: Uint8Array): boolean {
    if (!this.connected || data.length > this.maxPayload) return false;
    // An empty message is a probe that asks for no answer: nobody is told. Before a drop is noticed all is lost without a word.
    if (data.length > 0 && this.#isUp) this.#carrier.publish(this, subject, data);
    return true;
  }

  probe(subject: string): boolean {
    if (!this.connected) return false;
    if (this.#isUp) this.#carrier.probe(this, subject);
    return true;
  }

  flush(): Promise<void> {
    if (!this.connected) return Promise.reject(new BusClosedError("the bus is not connected"));
    return new Promise((resolve, reject) => {
      this.#flushes.add(reject);
      if (!this.#isUp) return;
      this.#carrier.flush(this, () => {
        this.#flushes.delete(reject);
        resolve();
      });
    });
  }

  /** What it has sent still arrives. */
  close(): Promise<void> {
    if (!this.#hasEnded) {
      this.end();
      this.#rejectFlushes();
    }
    return Promise.resolve();
  }

  receive(subscriptions: readonly MemorySubscription[], subject: string, data: Uint8Array): void {
    this.#tell(() => {
      for (const subscription of subscriptions) {
        if (subscription.isLive && !this.#hasEnded) this.#options.onMessage(subject, data);
      }
    });
  }

  receiveNoResponders(subject: string): void {
    this.#tell(() => this.#options.onNoResponders(subject));
  }

  receiveAdvisory(clientName: string): void {
    this.#tell(() => this.#options.onStatus({ kind: "advisory", clientName }));
  }

  drop(): void {
    this.lose();
    this.noticeDrop();
  }

  /** Drops, and the node has no idea: what it publishes is taken, and lost. */
  lose(): void {
    if (!this.isUp) return;
    this.#isUp = false;
    this.#knowsOfDrop = false;
    this.drops += 1;
    for (const subscription of this.#subscriptions.values()) this.#carrier.remove(subscription);
    this.#carrier.left(this);
  }

  noticeDrop(): void {
    if (this.#isUp || this.#knowsOfDrop || this.#hasEnded) return;
    this.#knowsOfDrop = true;
    this.#rejectFlushes();
    this.#tell(() => this.#options.onStatus({ kind: "disconnected" }));
  }

  revive(serverId: string): void {
    if (this.#isUp || this.#hasEnded) return;
    this.noticeDrop();
    this.#isUp = true;
    this.epoch += 1;
    this.serverId = serverId;
    for (const subscription of this.#subscriptions.values()) this.#carrier.add(subscription);
    const epoch = this.epoch;
    this.#tell(() => this.#options.onStatus({ kind: "connected", epoch, serverId }));
  }

  /** Gone, without a word to its own node. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#kept = undefined;
    for (const subscription of this.#subscriptions.values()) this.#carrier.remove(subscription);
    if (this.#isUp) this.#carrier.left(this);
  }

  pause(): void {
    this.#kept ??= [];
  }

  resume(): void {
    const kept = this.#kept;
    this.#kept = undefined;
    for (const call of kept ?? []) this.#tell(call);
  }

  #tell(call: () => void): void {
    if (this.#hasEnded) return;
    if (this.#kept !== undefined) this.#kept.push(call);
    else call();
  }

  #rejectFlushes(): void {
    const rejects = [...this.#flushes];
    this.#flushes.clear();
    for (const reject of rejects)
      reject(new BusClosedError("the bus connection dropped before everything was taken"));
  }
}
