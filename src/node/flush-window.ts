import type { BusConnection } from "../bus/port.ts";
import type { Cancel, Clock } from "../kernel/clock.ts";
import type { OutgoingFrame } from "./outgoing-frame.ts";

/** With this much unconfirmed, the bus is asked at once. */
const ASK_AT_BYTES = 256 * 1024;

/** With less, this much later: a node that says little does not double its traffic by asking. */
const ASK_AFTER_MS = 100;

/**
 * What was published and not yet confirmed. NATS clients take whatever they are given, without end; asking the server now and
 * then how far it has got is what makes a limit possible.
 */
export class FlushWindow {
  readonly #connection: BusConnection;
  readonly #clock: Clock;
  readonly #askAtBytes: number;
  /** Bytes ever published on this connection, and how many of them are confirmed. */
  #sentBytes = 0;
  #confirmedBytes = 0;
  #askedBytes = 0;
  #frames: OutgoingFrame[] = [];
  /** Goes up when the connection drops: answers about the earlier one are void. */
  #generation = 0;
  #timer: Cancel | undefined;

  constructor(connection: BusConnection, clock: Clock, limitBytes: number) {
    this.#connection = connection;
    this.#clock = clock;
    this.#askAtBytes = Math.min(ASK_AT_BYTES, Math.floor(limitBytes / 4));
  }

  get bytes(): number {
    return this.#sentBytes - this.#confirmedBytes;
  }

  sent(frame: OutgoingFrame, bytes: number): void {
    this.#sentBytes += bytes;
    if (frame.userMessages > 0) {
      frame.sentUpTo = this.#sentBytes;
      this.#frames.push(frame);
    }
    if (this.#sentBytes - Math.max(this.#askedBytes, this.#confirmedBytes) >= this.#askAtBytes)
      void this.#ask();
    else this.#timer ??= this.#clock.after(ASK_AFTER_MS, this.#askLate);
  }

  /** Resolves when everything sent so far is confirmed; rejects when the connection drops. */
  async confirm(): Promise<void> {
    if (!(await this.#ask())) throw new Error("the connection to the bus dropped");
  }

  /** The frames with users' messages that may not have arrived, in the order of sending. The window is empty then. */
  takeUnconfirmed(): OutgoingFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#confirmedBytes = this.#sentBytes;
    this.#askedBytes = this.#sentBytes;
    this.#generation += 1;
    return frames;
  }

  close(): void {
    this.takeUnconfirmed();
    this.#timer?.();
    this.#timer = undefined;
  }

  /** True: confirmed. */
  async #ask(): Promise<boolean> {
    const generation = this.#generation;
    const upTo = this.#sentBytes;
    this.#askedBytes = upTo;
    try {
      await this.#connection.flush();
    } catch {
      // The drop is reported as a status too, which is what is acted on.
      return false;
    }
    if (generation !== this.#generation) return false;
    this.#confirmedBytes = Math.max(this.#confirmedBytes, upTo);
    const firstOpen = this.#frames.findIndex((frame) => frame.sentUpTo > upTo);
    this.#frames.splice(0, firstOpen === -1 ? this.#frames.length : firstOpen);
    return true;
  }

  readonly #askLate = (): void => {
    this.#timer = undefined;
    if (this.bytes > 0) void this.#ask();
  };
}
