import type { BusConnection } from "../bus/port.ts";
import type { Clock } from "../kernel/clock.ts";
import { LimitExceededError } from "../kernel/errors.ts";
import type { Stamp } from "../kernel/hlc.ts";
import type { NodeId } from "../kernel/ids.ts";
import { FlushWindow } from "./flush-window.ts";
import { type FrameWriter, OVERHEAD_BYTES, STATE, type Stream } from "./frame.ts";
import { framingBytes, OutgoingFrame, type Route } from "./outgoing-frame.ts";
import type { Subjects } from "./subjects.ts";

/** A frame that has this much is sent at once: larger ones save nothing more, and hold up what stands behind them. */
const FRAME_BYTES = 64 * 1024;

/** How far state may go beyond `limits.outboundBytes`: the messages of users cannot crowd out heartbeats. */
const STATE_SHARE = 1.25;

/** Destinations whose subjects are kept ready. */
const ROUTES = 4_096;

export interface OutboxOptions {
  readonly connection: BusConnection;
  readonly subjects: Subjects;
  readonly writer: FrameWriter;
  readonly clock: Clock;
  readonly outboundBytes: number;
  stamp(): Stamp;
  /** Something waits for `flush()`. */
  onPending(): void;
  /** Has the machines send what they have written. */
  fetchState(): void;
  /** Messages of machines were not sent; the logs repair it. */
  onStateDropped(messages: number): void;
  /** Messages of users to a node that is gone. */
  onUserDropped(messages: number): void;
}

/**
 * What leaves this node: one frame for each destination and turn of the event loop.
 *
 * A node gets what was sent to it alone and what was sent to all in the order of sending: so a frame is closed, and on its way,
 * before a message for an overlapping destination goes into another one.
 *
 * What the bus has not confirmed is kept. After a drop of the connection the users' messages of that time wait until the others
 * can be expected to listen again too; then they are sent once more, before anything newer, under their old sequence numbers, so
 * that who got them drops the copy: a drop loses none, and doubles none, but for what a server confirmed and had not passed on
 * when it died. State is not kept: the machines repair it, and old state would only confuse.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #window: FlushWindow;
  readonly #routes = new Map<NodeId, Route>();
  readonly #wideRoutes = new Map<string, Route>();
  /** Frames to single nodes: while one is open, no wide one is. */
  #direct: OutgoingFrame[] = [];
  #wide: OutgoingFrame | undefined;
  /** Not confirmed when the bus went away, or closed since, without the state that was in them. Those sent before come first. */
  #waiting: OutgoingFrame[] = [];
  /** Between a drop of the connection and the moment when the others can be expected to be there again. */
  #holding = false;
  #expectsState = false;
  #openBytes = 0;
  #waitingBytes = 0;
  #sequence = 0;
  #bytesSent = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#window = new FlushWindow(options.connection, options.clock, options.outboundBytes);
  }

  /** Bytes that the bus has not confirmed. */
  get queuedBytes(): number {
    return this.#openBytes + this.#waitingBytes + this.#window.bytes;
  }

  get framesSent(): number {
    return this.#sequence;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Whether frames to single nodes are open: a message to a few nodes had better join them than close them. */
  get hasOpenDirect(): boolean {
    return this.#direct.length > 0;
  }

  /**
   * Makes sure that a message of a user can be taken.
   *
   * @param copies how many frames it goes into
   * @throws LimitExceededError
   */
  checkRoom(stream: Stream, message: Uint8Array, copies: number): void {
    const { connection, outboundBytes } = this.#options;
    const bytes = framingBytes(stream) + message.length;
    const largest = connection.maxPayload - OVERHEAD_BYTES;
    if (bytes > largest) {
      const what = `a message takes ${bytes} bytes on the bus, which carries no more`;
      throw new LimitExceededError("messageBytes", largest, what);
    }
    const queuedBytes = this.queuedBytes;
    if (queuedBytes + bytes * copies <= outboundBytes) return;
    const plight = connection.connected ? "" : ", which is not connected";
    const what = `${queuedBytes} bytes wait for the bus${plight}`;
    throw new LimitExceededError("outboundBytes", outboundBytes, what);
  }

  /** The machines have written something, and send it when they are asked: at the next `flush`, and before a user's message. */
  expectState(): void {
    this.#expectsState = true;
    this.#options.onPending();
  }

  sendTo(node: NodeId, stream: Stream, message: Uint8Array): void {
    if (!this.#takes(stream, message)) return;
    if (this.#wide !== undefined) this.#closeWide();
    const route = this.#routes.get(node) ?? this.#addRoute(node);
    if (route.open === undefined) {
      route.open = new OutgoingFrame(route);
      this.#direct.push(route.open);
    }
    this.#append(route.open, stream, message);
  }

  /** @param subject one that several nodes may listen on */
  sendWide(subject: string, stream: Stream, message: Uint8Array): void {
    if (!this.#takes(stream, message)) return;
    if (this.#direct.length > 0) this.#closeDirect();
    const route = this.#wideRoutes.get(subject) ?? this.#addWideRoute(subject);
    if (this.#wide !== undefined && this.#wide.route !== route) this.#closeWide();
    if (this.#wide === undefined) {
      this.#wide = new OutgoingFrame(route);
      route.open = this.#wide;
    }
    this.#append(this.#wide, stream, message);
  }

  /** Sends the open frames. */
  flush(): void {
    if (this.#expectsState) this.#fetchState();
    this.#closeDirect();
    this.#closeWide();
    if (this.#routes.size > ROUTES) this.#routes.clear();
  }

  /** The connection is gone: what was on its way may be lost. */
  suspend(): void {
    const unconfirmed = this.#window.takeUnconfirmed();
    for (const frame of unconfirmed) {
      frame.dropState();
      this.#waitingBytes += frame.bytes;
    }
    this.#waiting = [...unconfirmed, ...this.#waiting];
    this.#holding = true;
  }

  /** Whoever is there can hear: what waited goes before anything newer. */
  release(): void {
    this.#holding = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const frame of waiting) this.#send(frame);
  }

  /** A node is down: what waits for it has nobody to go to. */
  forget(node: NodeId): void {
    const subject = this.#options.subjects.node(node);
    this.#waiting = this.#waiting.filter((frame) => {
      if (frame.route.subject !== subject) return true;
      this.#waitingBytes -= frame.bytes;
      this.#options.onUserDropped(frame.userMessages);
      return false;
    });
    if (this.#routes.get(node)?.open === undefined) this.#routes.delete(node);
  }

  /** Nothing is held back. */
  get isFlowing(): boolean {
    return this.#options.connection.connected && !this.#holding;
  }

  /** Resolves when the bus has taken everything sent before; rejects when that cannot be now, or the bus goes away meanwhile. */
  async confirm(): Promise<void> {
    this.flush();
    if (!this.isFlowing) throw new Error("the bus is not connected, or not for long");
    await this.#window.confirm();
  }

  close(): void {
    this.#window.close();
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #append(open: OutgoingFrame, stream: Stream, message: Uint8Array): void {
    const most = Math.min(FRAME_BYTES, this.#options.connection.maxPayload - OVERHEAD_BYTES);
    const isFull = open.bytes > 0 && open.bytes + framingBytes(stream) + message.length > most;
    const frame = isFull ? this.#renew(open) : open;
    if (this.#openBytes === 0) this.#options.onPending();
    this.#openBytes += frame.append(stream, message);
  }

  /** Sends a full frame, and puts an empty one in its place. */
  #renew(full: OutgoingFrame): OutgoingFrame {
    const fresh = new OutgoingFrame(full.route);
    full.route.open = fresh;
    if (this.#wide === full) this.#wide = fresh;
    else this.#direct[this.#direct.indexOf(full)] = fresh;
    this.#openBytes -= full.bytes;
    this.#send(full);
    return fresh;
  }

  #closeDirect(): void {
    const frames = this.#direct;
    this.#direct = [];
    for (const frame of frames) this.#close(frame);
  }

  #closeWide(): void {
    const frame = this.#wide;
    this.#wide = undefined;
    if (frame !== undefined) this.#close(frame);
  }

  #close(frame: OutgoingFrame): void {
    frame.route.open = undefined;
    this.#openBytes -= frame.bytes;
    this.#send(frame);
  }

  #send(frame: OutgoingFrame): void {
    if (!this.#options.connection.connected) {
      this.#park(frame);
    } else if (this.#holding || this.#waiting.length > 0) {
      // Machines have to find each other again before anybody else can.
      if (frame.stateMessages > 0) this.#transmit(frame.takeState());
      this.#park(frame);
    } else {
      this.#transmit(frame);
    }
  }

  #transmit(frame: OutgoingFrame): void {
    const { connection, writer } = this.#options;
    if (frame.sequence === 0) {
      this.#sequence += 1;
      frame.sequence = this.#sequence;
    }
    const envelope = { epoch: connection.epoch, sequence: frame.sequence, stamp: this.#options.stamp() };
    const data = writer.write(frame.route.subject, envelope, frame.segments);
    if (data.length > connection.maxPayload) {
      this.#giveUp(frame);
    } else if (connection.publish(frame.route.subject, data)) {
      this.#bytesSent += data.length;
      this.#window.sent(frame, data.length);
    } else {
      this.#park(frame);
    }
  }

  #park(frame: OutgoingFrame): void {
    this.#options.onStateDropped(frame.stateMessages);
    frame.dropState();
    if (frame.userMessages === 0) return;
    this.#waiting.push(frame);
    this.#waitingBytes += frame.bytes;
  }

  /** One message that the bus cannot carry: it was made on a connection that took more, or never should have been. */
  #giveUp(frame: OutgoingFrame): void {
    this.#options.onStateDropped(frame.stateMessages);
    this.#options.onUserDropped(frame.userMessages);
  }

  #takes(stream: Stream, message: Uint8Array): boolean {
    if (stream === STATE) return this.#takesState(message);
    // Whoever gets a message finds in its tables what its sender wrote before.
    if (this.#expectsState) this.#fetchState();
    return true;
  }

  #fetchState(): void {
    this.#expectsState = false;
    this.#options.fetchState();
  }

  #takesState(message: Uint8Array): boolean {
    const { connection, outboundBytes } = this.#options;
    if (connection.connected && this.queuedBytes + message.length <= outboundBytes * STATE_SHARE) return true;
    this.#options.onStateDropped(1);
    return false;
  }

  #addRoute(node: NodeId): Route {
    const route: Route = { subject: this.#options.subjects.node(node), open: undefined };
    this.#routes.set(node, route);
    return route;
  }

  #addWideRoute(subject: string): Route {
    const route: Route = { subject, open: undefined };
    this.#wideRoutes.set(subject, route);
    return route;
  }
}
