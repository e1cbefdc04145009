import type { NatsBusConnection } from "../nats/connection.ts";
import type { BusConnection } from "../port.ts";
import type { Host } from "./host.ts";
import type { Takeover } from "./takeover.ts";

/** A connection to the embedded broker, and, on one node, the broker with it. */
export class EmbeddedConnection implements BusConnection {
  readonly #inner: NatsBusConnection;
  readonly #host: Host;
  readonly #takeover: Takeover;
  #closing: Promise<void> | undefined;

  constructor(inner: NatsBusConnection, host: Host, takeover: Takeover) {
    this.#inner = inner;
    this.#host = host;
    this.#takeover = takeover;
  }

  get serverId(): string {
    return this.#inner.serverId;
  }

  get epoch(): number {
    return this.#inner.epoch;
  }

  get connected(): boolean {
    return this.#inner.connected;
  }

  get maxPayload(): number {
    return this.#inner.maxPayload;
  }

  /** Whether the broker runs in this process, on behalf of this connection. */
  get isHosting(): boolean {
    return this.#host.isHosting;
  }

  subscribe(subject: string): void {
    this.#inner.subscribe(subject);
  }

  unsubscribe(subject: string): void {
    this.#inner.unsubscribe(subject);
  }

  publish(subject: string, data: Uint8Array): boolean {
    return this.#inner.publish(subject, data);
  }

  probe(subject: string): boolean {
    return this.#inner.probe(subject);
  }

  flush(): Promise<void> {
    return this.#inner.flush();
  }

  close(): Promise<void> {
    this.#closing ??= this.#shut();
    return this.#closing;
  }

  /** The own client first, while the broker still takes what is pending; then the broker, for another node to take over. */
  async #shut(): Promise<void> {
    this.#takeover.stop();
    await this.#inner.close();
    await this.#host.close();
  }
}
