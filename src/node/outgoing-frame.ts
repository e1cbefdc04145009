import { type Family, SEGMENT_BYTES, type Segment, STATE, USER } from "./frame.ts";

/** A place that frames are sent to. */
export interface Route {
  readonly subject: string;
  /** The frame that the next message for it goes into. */
  open: OutgoingFrame | undefined;
}

/** Messages on their way to one destination, each encoded once, whatever number of frames it is in. */
export class OutgoingFrame {
  readonly route: Route;
  segments: Segment[] = [];
  /** Of its segments, on the wire. */
  bytes = 0;
  userMessages = 0;
  stateMessages = 0;
  /** Given when it is first sent, and kept when it is sent again; 0: not sent yet. */
  sequence = 0;
  /** How many bytes the connection had been given after this frame. */
  sentUpTo = 0;

  constructor(route: Route) {
    this.route = route;
  }

  /** @returns how many bytes larger the frame is now */
  append(family: Family, message: Uint8Array): number {
    const before = this.bytes;
    const last = this.segments[this.segments.length - 1];
    if (last !== undefined && last.family === family) {
      last.chunks.push(message);
      last.bytes += message.length;
    } else {
      this.segments.push({ family, chunks: [message], bytes: message.length });
      this.bytes += SEGMENT_BYTES;
    }
    this.bytes += message.length;
    if (family === USER) this.userMessages += 1;
    else this.stateMessages += 1;
    return this.bytes - before;
  }

  /** Takes out what the machines will repair anyway. */
  dropState(): void {
    if (this.stateMessages === 0) return;
    this.segments = this.segments.filter((segment) => segment.family !== STATE);
    this.bytes = this.segments.reduce((sum, segment) => sum + SEGMENT_BYTES + segment.bytes, 0);
    this.stateMessages = 0;
  }
}
