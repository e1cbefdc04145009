import type { Bus, BusConnection, BusStatus } from "../../src/bus/port.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { SeededRandom } from "../../src/kernel/random.ts";
import { RealClock } from "./real-clock.ts";

export type BusCall =
  | { readonly kind: "message"; readonly subject: string; readonly data: Uint8Array }
  | { readonly kind: "noResponders"; readonly subject: string }
  | { readonly kind: "status"; readonly status: BusStatus };

/** One bus connection that writes down everything it is told, in order. */
export class BusPeer {
  readonly name: string;
  readonly calls: BusCall[] = [];
  /** Called for each message after it is written down. */
  onMessage: ((subject: string, data: Uint8Array) => void) | undefined;
  #connection: BusConnection | undefined;

  constructor(name: string) {
    this.name = name;
  }

  static async connect(
    bus: Bus,
    name: string,
    options: { signal?: AbortSignal; clock?: Clock } = {},
  ): Promise<BusPeer> {
    const peer = new BusPeer(name);
    peer.#connection = await bus.connect(peer.options(options));
    return peer;
  }

  options(extra: { signal?: AbortSignal; clock?: Clock } = {}) {
    return {
      clientName: this.name,
      clock: new RealClock(),
      random: new SeededRandom(`peer ${this.name}`),
      ...extra,
      onMessage: (subject: string, data: Uint8Array) => {
        this.calls.push({ kind: "message", subject, data: new Uint8Array(data) });
        this.onMessage?.(subject, data);
      },
      onNoResponders: (subject: string) => void this.calls.push({ kind: "noResponders", subject }),
      onStatus: (status: BusStatus) => void this.calls.push({ kind: "status", status }),
    };
  }

  /** For buses that connect without a promise. */
  attach(connection: BusConnection): this {
    this.#connection = connection;
    return this;
  }

  get connection(): BusConnection {
    if (this.#connection === undefined) throw new Error(`${this.name} is not connected`);
    return this.#connection;
  }

  publish(subject: string, text: string): boolean {
    return this.connection.publish(subject, Buffer.from(text));
  }

  /** Subscribes, and waits until the bus knows. */
  async listen(...subjects: readonly string[]): Promise<void> {
    for (const subject of subjects) this.connection.subscribe(subject);
    await this.connection.flush();
  }

  get messages(): readonly { readonly subject: string; readonly data: Uint8Array }[] {
    return this.calls.filter((call) => call.kind === "message");
  }

  get texts(): readonly string[] {
    return this.messages.map(({ data }) => Buffer.from(data).toString());
  }

  get noResponders(): readonly string[] {
    return this.calls.flatMap((call) => (call.kind === "noResponders" ? [call.subject] : []));
  }

  get statuses(): readonly BusStatus[] {
    return this.calls.flatMap((call) => (call.kind === "status" ? [call.status] : []));
  }

  get statusKinds(): readonly BusStatus["kind"][] {
    return this.statuses.map((status) => status.kind);
  }

  get advisories(): readonly string[] {
    return this.statuses.flatMap((status) => (status.kind === "advisory" ? [status.clientName] : []));
  }

  get warnings(): readonly string[] {
    return this.statuses.flatMap((status) => (status.kind === "warning" ? [status.message] : []));
  }
}
