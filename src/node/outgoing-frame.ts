import {
  PAYLOAD_LENGTH_BYTES,
  PRELUDE_LENGTH_BYTES,
  REPEATED_FAMILY,
  SEGMENT_BYTES,
  type Segment,
  STATE_FAMILY,
  type Stream,
} from "./frame.ts";

/** What a message may add to a frame besides its own bytes, when it begins a segment. */
export function framingBytes(stream: Stream): number {
  return SEGMENT_BYTES + PRELUDE_LENGTH_BYTES + stream.prelude.length + PAYLOAD_LENGTH_BYTES;
}

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
  append(stream: Stream, message: Uint8Array): number {
    const before = this.bytes;
    const { family, prelude } = stream;
    let last = this.segments[this.segments.length - 1];
    if (last === undefined || last.stream !== stream) {
      const bytes = family === REPEATED_FAMILY ? PRELUDE_LENGTH_BYTES + prelude.length : 0;
      last = { stream, messages: [], bytes };
      this.segments.push(last);
      this.bytes += SEGMENT_BYTES + bytes;
    }
    const added = message.length + (family === REPEATED_FAMILY ? PAYLOAD_LENGTH_BYTES : 0);
    last.messages.push(message);
    last.bytes += added;
    this.bytes += added;
    if (family === STATE_FAMILY) this.stateMessages += 1;
    else this.userMessages += 1;
    return this.bytes - before;
  }

  /** What is in it of state, as a frame of its own. */
  takeState(): OutgoingFrame {
    const state = new OutgoingFrame(this.route);
    for (const { stream, messages } of this.segments) {
      if (stream.family !== STATE_FAMILY) continue;
      for (const message of messages) state.append(stream, message);
    }
    this.dropState();
    return state;
  }

  /** Takes out what the machines will repair anyway. */
  dropState(): void {
    if (this.stateMessages === 0) return;
    this.segments = this.segments.filter((segment) => segment.stream.family !== STATE_FAMILY);
    this.bytes = this.segments.reduce((sum, segment) => sum + SEGMENT_BYTES + segment.bytes, 0);
    this.stateMessages = 0;
  }
}
