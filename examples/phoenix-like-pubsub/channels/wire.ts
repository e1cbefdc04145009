import type { ClientMessage, Frame, Ref, ServerMessage } from "./messages.ts";

// Version 2 of the protocol, as npm `phoenix` speaks it: text frames are JSON arrays of five; in binary frames a byte for the kind
// and one for the length of each text of the header are followed by these texts, and by the payload.

const PUSH = 0;
const REPLY = 1;
const BROADCAST = 2;
/** What one byte can tell. */
const HEADER_TEXT_BYTES = 255;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** A client sent what is no frame of this protocol. */
export class MalformedFrameError extends Error {
  override readonly name = "MalformedFrameError";
}

/** A program of this server wants to send what the protocol has no frame for. */
export class UnsendableError extends Error {
  override readonly name = "UnsendableError";
}

/** A payload that is JSON already: what many are told need be encoded only once. */
export class EncodedJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** @throws MalformedFrameError */
export function decodeText(text: string, payloadDepth: number): ClientMessage {
  const parts = parse(text);
  if (!Array.isArray(parts) || parts.length !== 5)
    throw new MalformedFrameError("a text frame is an array of five");
  const [joinRef, ref, topic, event, payload] = parts as readonly unknown[];
  if (typeof topic !== "string" || typeof event !== "string")
    throw new MalformedFrameError("topic and event are texts");
  if (!nestsAtMost(payload, payloadDepth))
    throw new MalformedFrameError(`a payload nests ${payloadDepth} deep at most`);
  return { joinRef: checkRef(joinRef), ref: checkRef(ref), topic, event: checkHeader(event), payload };
}

/** @throws MalformedFrameError */
export function decodeBinary(bytes: Uint8Array): ClientMessage {
  if (bytes[0] !== PUSH) throw new MalformedFrameError("the one binary frame of clients is a push");
  const lengths = bytes.subarray(1, 5);
  if (lengths.length < 4) throw new MalformedFrameError("a binary frame ends within its lengths");
  let at = 5;
  const texts = [...lengths].map((length) => {
    const text = bytes.subarray(at, at + length);
    if (text.length < length) throw new MalformedFrameError("a binary frame ends within its header");
    at += length;
    return decodeUtf8(text);
  });
  const [joinRef = "", ref = "", topic = "", event = ""] = texts;
  // A copy: what came may be a part of something larger, which would be kept along with it.
  const payload = new Uint8Array(bytes.subarray(at));
  return { joinRef: joinRef === "" ? null : joinRef, ref: ref === "" ? null : ref, topic, event, payload };
}

/** @throws UnsendableError when no frame can say it */
export function encode(message: ServerMessage): Frame {
  const { topic } = message;
  switch (message.kind) {
    case "reply": {
      const { joinRef, ref, status, response } = message;
      const bytes = bytesOf(response);
      if (bytes !== undefined) return encodeBinary(REPLY, [joinRef ?? "", ref ?? "", topic, status], bytes);
      return encodeText([joinRef, ref, topic, "phx_reply"], { status, response });
    }
    case "push": {
      const { joinRef, event, payload } = message;
      const bytes = bytesOf(payload);
      if (bytes !== undefined) return encodeBinary(PUSH, [joinRef ?? "", topic, event], bytes);
      return encodeText([joinRef, null, topic, event], payload);
    }
    case "broadcast": {
      const { event, payload } = message;
      const bytes = bytesOf(payload);
      if (bytes !== undefined) return encodeBinary(BROADCAST, [topic, event], bytes);
      return encodeText([null, null, topic, event], payload);
    }
    case "closed":
      return encodeText([message.joinRef, message.joinRef, topic, "phx_close"], {});
    case "crashed":
      // Why is in the log of this server: it is nothing for clients.
      return encodeText([message.joinRef, message.joinRef, topic, "phx_error"], { reason: "crashed" });
  }
}

/**
 * For what channels say. A client that is sent more than may wait for it is taken for a slow one, and closed: again each time that
 * it comes back, while whoever said so much would not even know.
 *
 * @throws UnsendableError also when the frame has more than so many bytes
 */
export function encodeWithin(outboundBytes: number, message: ServerMessage): Frame {
  const frame = encode(message);
  const bytes = Buffer.byteLength(frame);
  if (bytes <= outboundBytes) return frame;
  throw new UnsendableError(
    `a frame has at most limits.outboundBytes, ${outboundBytes} bytes; ${describe(message)} has ${bytes}`,
  );
}

function describe(message: ServerMessage): string {
  switch (message.kind) {
    case "push":
    case "broadcast":
      return message.event;
    case "reply":
      return "an answer";
    case "closed":
    case "crashed":
      return "an end";
  }
}

/** Undefined: it is for JSON. */
function bytesOf(payload: unknown): Uint8Array | undefined {
  if (payload instanceof Uint8Array) return payload;
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  if (!ArrayBuffer.isView(payload)) return undefined;
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
}

function encodeText(header: readonly Ref[], payload: unknown): string {
  if (payload instanceof EncodedJson) return `${JSON.stringify(header).slice(0, -1)},${payload.text}]`;
  try {
    return JSON.stringify([...header, payload]);
  } catch (cause) {
    throw new UnsendableError("a payload is bytes, or what JSON can say", { cause });
  }
}

function encodeBinary(kind: number, header: readonly string[], payload: Uint8Array): Uint8Array {
  const texts = header.map((text) => encoder.encode(text));
  const tooLong = texts.findIndex((text) => text.length > HEADER_TEXT_BYTES);
  if (tooLong >= 0) {
    const start = JSON.stringify(header[tooLong]?.slice(0, 40));
    throw new UnsendableError(
      `with bytes, topic, event and references take ${HEADER_TEXT_BYTES} bytes each; ${start}… has ${texts[tooLong]?.length}`,
    );
  }
  const lengths = Uint8Array.from([kind, ...texts.map((text) => text.length)]);
  return Buffer.concat([lengths, ...texts, payload]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedFrameError("a text frame is JSON");
  }
}

function checkRef(ref: unknown): Ref {
  if (ref === null) return null;
  if (typeof ref !== "string") throw new MalformedFrameError("a reference is a text, or null");
  return checkHeader(ref);
}

/** Also in text frames: the answer to one may have to be binary. Topics need no check: routes do not match longer ones. */
function checkHeader(text: string): string {
  if (text.length <= HEADER_TEXT_BYTES && Buffer.byteLength(text) <= HEADER_TEXT_BYTES) return text;
  throw new MalformedFrameError(`events and references take ${HEADER_TEXT_BYTES} bytes`);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new MalformedFrameError("the header of a binary frame is UTF-8");
  }
}

function nestsAtMost(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth === 0) return false;
  for (const part of Object.values(value)) if (!nestsAtMost(part, depth - 1)) return false;
  return true;
}
