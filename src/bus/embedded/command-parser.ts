import type { BrokerLimits } from "./limits.ts";

/** A client's commands, as they are read. Texts are latin1: one character a byte, so any bytes come back out unchanged. */
export interface CommandSink {
  onConnect(json: Buffer): void;
  onPing(): void;
  onSubscribe(subject: string, queue: string | undefined, sid: string): void;
  onUnsubscribe(sid: string, max: number | undefined): void;
  /** `body` holds the headers first, `headerBytes` of them. It is a view, valid during the call. */
  onPublish(subject: string, reply: string | undefined, headerBytes: number, body: Buffer): void;
}

/** What a client did wrong, in the words of NATS. The connection cannot go on: nobody knows where the next command starts. */
export type Violation =
  | "Unknown Protocol Operation"
  | "Parser Error"
  | "Maximum Control Line Exceeded"
  | "Maximum Payload Violation";

const SPACE = 32;
const TAB = 9;
const CR = 13;
const LF = 10;
const ZERO = 48;
const MAX_FIELDS = 5;
const MAX_DIGITS = 9;

/**
 * Reads the client's side of the NATS protocol from chunks split anywhere. Payloads are passed on as views, never decoded.
 * After a violation, or its close, it takes nothing more.
 */
export class CommandParser {
  readonly #sink: CommandSink;
  readonly #limits: BrokerLimits;
  /** Chunks of a command that is not complete yet, joined only when enough has come, so that a large payload is copied once. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 0;
  #violation: Violation | undefined;
  #closed = false;
  /** Starts and ends of the fields of the present line. */
  readonly #fields = new Int32Array(MAX_FIELDS * 2);

  constructor(sink: CommandSink, limits: BrokerLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** @returns what was wrong, if anything was */
  push(chunk: Buffer): Violation | undefined {
    if (this.#isOver) return this.#violation;
    let buffer = chunk;
    if (this.#heldBytes > 0) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#neededBytes) return undefined;
      buffer = Buffer.concat(this.#held, this.#heldBytes);
    }
    const used = this.#parse(buffer);
    this.#heldBytes = this.#isOver ? 0 : buffer.length - used;
    this.#held = this.#heldBytes > 0 ? [buffer.subarray(used)] : [];
    return this.#violation;
  }

  /** The sink has hung up: it is not to hear of what else stands in the present chunk either. */
  close(): void {
    this.#closed = true;
    this.#held = [];
    this.#heldBytes = 0;
  }

  get #isOver(): boolean {
    return this.#closed || this.#violation !== undefined;
  }

  /** @returns how many bytes are done with */
  #parse(buffer: Buffer): number {
    let at = 0;
    while (at < buffer.length && !this.#isOver) {
      const lineEnd = buffer.indexOf(LF, at);
      if ((lineEnd < 0 ? buffer.length : lineEnd) - at > this.#limits.controlLineBytes) {
        return this.#refuse("Maximum Control Line Exceeded", at);
      }
      if (lineEnd < 0) {
        this.#neededBytes = buffer.length - at + 1;
        return at;
      }
      const next = this.#command(buffer, at, lineEnd);
      if (next < 0) return at;
      at = next;
    }
    return at;
  }

  /** @returns where the next command starts, or -1 when this one is not complete (`neededBytes` says by how much) */
  #command(buffer: Buffer, start: number, lineEnd: number): number {
    const end = buffer[lineEnd - 1] === CR && lineEnd > start ? lineEnd - 1 : lineEnd;
    const nameEnd = fieldEnd(buffer, start, end);
    const after = lineEnd + 1;
    switch (nameEnd - start) {
      case 3:
        if (isWord(buffer, start, "PUB")) return this.#publish(buffer, start, nameEnd, end, after, false);
        if (isWord(buffer, start, "SUB")) return this.#subscribe(buffer, nameEnd, end, after);
        // Acknowledgements, which a client may send and nobody needs.
        return isWord(buffer, start, "+OK") ? after : this.#refuse("Unknown Protocol Operation", after);
      case 4:
        if (isWord(buffer, start, "HPUB")) return this.#publish(buffer, start, nameEnd, end, after, true);
        if (isWord(buffer, start, "PING")) this.#sink.onPing();
        else if (!isWord(buffer, start, "PONG")) return this.#refuse("Unknown Protocol Operation", after);
        return after;
      case 5:
        if (isWord(buffer, start, "UNSUB")) return this.#unsubscribe(buffer, nameEnd, end, after);
        return this.#refuse("Unknown Protocol Operation", after);
      case 7:
        if (!isWord(buffer, start, "CONNECT")) return this.#refuse("Unknown Protocol Operation", after);
        this.#sink.onConnect(buffer.subarray(nameEnd, end));
        return after;
      default:
        return this.#refuse("Unknown Protocol Operation", after);
    }
  }

  #subscribe(buffer: Buffer, from: number, end: number, after: number): number {
    const count = this.#split(buffer, from, end);
    if (count !== 2 && count !== 3) return this.#refuse("Parser Error", after);
    const queue = count === 3 ? this.#text(buffer, 1) : undefined;
    this.#sink.onSubscribe(this.#text(buffer, 0), queue, this.#text(buffer, count - 1));
    return after;
  }

  #unsubscribe(buffer: Buffer, from: number, end: number, after: number): number {
    const count = this.#split(buffer, from, end);
    const max = count === 2 ? this.#number(buffer, 1) : undefined;
    if (count < 1 || count > 2 || max === -1) return this.#refuse("Parser Error", after);
    this.#sink.onUnsubscribe(this.#text(buffer, 0), max);
    return after;
  }

  #publish(
    buffer: Buffer,
    start: number,
    from: number,
    end: number,
    after: number,
    headers: boolean,
  ): number {
    const count = this.#split(buffer, from, end);
    const fixed = headers ? 3 : 2;
    if (count !== fixed && count !== fixed + 1) return this.#refuse("Parser Error", after);
    const size = this.#number(buffer, count - 1);
    const headerBytes = headers ? this.#number(buffer, count - 2) : 0;
    if (size < 0 || headerBytes < 0 || headerBytes > size) return this.#refuse("Parser Error", after);
    if (size > this.#limits.maxPayload) return this.#refuse("Maximum Payload Violation", after);
    const bodyEnd = after + size;
    if (buffer.length < bodyEnd + 2) {
      this.#neededBytes = bodyEnd + 2 - start;
      return -1;
    }
    if (buffer[bodyEnd] !== CR || buffer[bodyEnd + 1] !== LF) return this.#refuse("Parser Error", after);
    const reply = count > fixed ? this.#text(buffer, 1) : undefined;
    this.#sink.onPublish(this.#text(buffer, 0), reply, headerBytes, buffer.subarray(after, bodyEnd));
    return bodyEnd + 2;
  }

  /** @returns how many fields there are; one more than fit means too many */
  #split(buffer: Buffer, from: number, end: number): number {
    let count = 0;
    let at = from;
    while (at < end) {
      while (at < end && isBlank(buffer[at])) at += 1;
      if (at >= end) break;
      if (count === MAX_FIELDS) return MAX_FIELDS + 1;
      this.#fields[count * 2] = at;
      at = fieldEnd(buffer, at, end);
      this.#fields[count * 2 + 1] = at;
      count += 1;
    }
    return count;
  }

  #text(buffer: Buffer, field: number): string {
    return buffer.toString("latin1", this.#fields[field * 2], this.#fields[field * 2 + 1]);
  }

  /** @returns -1 for what is no whole number, or one that is too long to be meant */
  #number(buffer: Buffer, field: number): number {
    const start = this.#fields[field * 2] ?? 0;
    const end = this.#fields[field * 2 + 1] ?? 0;
    if (end - start > MAX_DIGITS) return -1;
    let value = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (buffer[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }

  #refuse(violation: Violation, at: number): number {
    this.#violation = violation;
    return at;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

function fieldEnd(buffer: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && !isBlank(buffer[at])) at += 1;
  return at;
}

/** Whether an upper-case word stands here, in either case: letters differ by one bit, and the other bytes must not. */
function isWord(buffer: Buffer, start: number, word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    const wanted = word.charCodeAt(index);
    const byte = buffer[start + index] ?? 0;
    if (byte !== wanted && (wanted < 65 || byte !== (wanted | 32))) return false;
  }
  return true;
}
