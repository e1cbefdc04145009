import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ServerMessage } from "../../../../../examples/phoenix-like-pubsub/channels/messages.ts";
import {
  decodeBinary,
  decodeText,
  encode,
  MalformedFrameError,
  UnsendableError,
} from "../../../../../examples/phoenix-like-pubsub/channels/wire.ts";

const bytes = Uint8Array.of(1, 2, 3);
const LONG = "e".repeat(256);

describe("frames for clients", () => {
  test.each<[ServerMessage, string]>([
    [
      { kind: "reply", joinRef: "1", ref: "2", topic: "t", status: "ok", response: { a: 1 } },
      '["1","2","t","phx_reply",{"status":"ok","response":{"a":1}}]',
    ],
    [{ kind: "push", joinRef: "1", topic: "t", event: "e", payload: {} }, '["1",null,"t","e",{}]'],
    [{ kind: "broadcast", topic: "t", event: "e", payload: {} }, '[null,null,"t","e",{}]'],
    [{ kind: "closed", joinRef: "1", topic: "t" }, '["1","1","t","phx_close",{}]'],
    [{ kind: "crashed", joinRef: "1", topic: "t" }, '["1","1","t","phx_error",{"reason":"crashed"}]'],
  ])("as text: %j", (message, frame) => {
    expect(encode(message)).toBe(frame);
  });

  test("as bytes: the lengths of the texts count bytes, not characters", () => {
    expect(encode({ kind: "broadcast", topic: "ä", event: "e", payload: bytes })).toEqual(
      Buffer.from([2, 2, 1, 0xc3, 0xa4, 101, 1, 2, 3]),
    );
    expect(encode({ kind: "push", joinRef: null, topic: "t", event: "e", payload: bytes })).toEqual(
      Buffer.from([0, 0, 1, 1, 116, 101, 1, 2, 3]),
    );
  });

  test("are bytes whenever the payload is: of a buffer, of a part of one, whatever is seen in it", () => {
    const { buffer } = Uint8Array.of(9, 9, 1, 2, 3, 9);
    const whole = Uint8Array.of(1, 2, 3).buffer;
    for (const payload of [
      whole,
      new DataView(buffer, 2, 3),
      new Int8Array(buffer, 2, 3),
      Buffer.from(bytes),
    ])
      expect(encode({ kind: "broadcast", topic: "t", event: "e", payload })).toEqual(
        Buffer.from([2, 1, 1, 116, 101, 1, 2, 3]),
      );
  });

  test.each<ServerMessage>([
    { kind: "push", joinRef: "1", topic: "t", event: LONG, payload: bytes },
    { kind: "broadcast", topic: "t", event: LONG, payload: bytes },
    { kind: "broadcast", topic: "ä".repeat(128), event: "e", payload: bytes },
    { kind: "reply", joinRef: "1", ref: "1", topic: "t", status: LONG, response: bytes },
    { kind: "reply", joinRef: LONG, ref: "1", topic: "t", status: "ok", response: bytes },
  ])("with more than 255 bytes before bytes are refused: $kind", (message) => {
    expect(() => encode(message)).toThrow(UnsendableError);
    const text: ServerMessage =
      message.kind === "reply"
        ? { ...message, response: {} }
        : ({ ...message, payload: {} } as ServerMessage);
    expect(encode(text)).toEqual(expect.any(String));
  });

  test("that JSON cannot say are refused", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    for (const payload of [1n, circle])
      expect(() => encode({ kind: "broadcast", topic: "t", event: "e", payload })).toThrow(UnsendableError);
  });
});

describe("frames of clients", () => {
  test("may have a payload of any kind, and nothing they are called does harm", () => {
    const text = '[null,null,"__proto__","constructor",{"__proto__":{"admin":true}}]';
    const { payload, ...rest } = decodeText(text, 10);
    expect(rest).toEqual({ joinRef: null, ref: null, topic: "__proto__", event: "constructor" });
    expect(Object.hasOwn(payload as object, "__proto__")).toBe(true);
    expect((payload as { admin?: boolean }).admin).toBeUndefined();
    for (const any of [null, 1, "a", [1]])
      expect(decodeText(JSON.stringify(["1", "1", "t", "e", any]), 10).payload).toEqual(any);
  });

  test("nest as deep as they may, and no deeper", () => {
    const nested = (depth: number) => `["1","1","t","e",${"[".repeat(depth)}${"]".repeat(depth)}]`;
    expect(() => decodeText(nested(10), 10)).not.toThrow();
    expect(() => decodeText(nested(11), 10)).toThrow(MalformedFrameError);
    expect(() => decodeText(nested(200_000), 10)).toThrow(MalformedFrameError);
  });

  test("of bytes are copies, with null where a reference is empty", () => {
    const frame = Buffer.from([0, 0, 1, 1, 1, 50, 116, 101, 9]);
    const message = decodeBinary(frame);
    expect(message).toEqual({ joinRef: null, ref: "2", topic: "t", event: "e", payload: Uint8Array.of(9) });
    frame.fill(0);
    expect(message.payload).toEqual(Uint8Array.of(9));
  });

  test("whatever they are, are read or malformed", () => {
    const attempt = (read: () => unknown): void => {
      try {
        read();
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedFrameError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => attempt(() => decodeBinary(noise))));
    fc.assert(fc.property(fc.string(), (noise) => attempt(() => decodeText(noise, 5))));
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (noise) => attempt(() => decodeText(JSON.stringify(noise), 5))),
    );
  });
});
