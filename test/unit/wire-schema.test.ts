import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import {
  bytes,
  defineMessages,
  type Field,
  flag,
  float,
  list,
  type MessageOf,
  nat,
  nodeId,
  oneOf,
  optional,
  pid,
  shortText,
  text,
  tuple,
} from "../../src/bus/wire-schema.ts";
import { InvariantError } from "../../src/kernel/errors.ts";
import { makeNodeId, makePid } from "../../src/kernel/ids.ts";
import { MalformedError } from "../../src/kernel/malformed.ts";
import { pack, unpack, unpackAll } from "../../src/kernel/msgpack.ts";

const node = makeNodeId("web-1", "0abcdefgh12345678");
const entry = tuple({ serial: nat, name: text, meta: optional(bytes) });
const operation = oneOf({ put: [0, { name: text, serial: nat }], del: [1, { name: text }] });
const table = defineMessages({
  hello: [1, { from: nodeId, minimum: nat, maximum: nat, note: optional(shortText) }],
  entries: [2, { entries: list(entry, 3), last: flag }],
  operations: [3, { operations: list(operation, 10), owner: pid, load: float }],
});
type Message = MessageOf<typeof table>;

const hello: Message = { kind: "hello", from: node, minimum: 1, maximum: 2, note: undefined };
const entries: Message = {
  kind: "entries",
  entries: [
    { serial: 1, name: "a", meta: undefined },
    { serial: Number.MAX_SAFE_INTEGER, name: "ö".repeat(256), meta: Uint8Array.of(1, 2, 255) },
  ],
  last: true,
};
const operations: Message = {
  kind: "operations",
  operations: [
    { kind: "put", name: "a", serial: 4 },
    { kind: "del", name: "__proto__" },
  ],
  owner: makePid(node, 36),
  load: 0.25,
};

function frame(...messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(messages);
}

function through<T>(field: Field<T>, value: T): T {
  return field.read(unpack(pack(field.write(value))));
}

describe("a message table", () => {
  test("reads back every kind of message it wrote, in order, from one frame", () => {
    const body = frame(...[hello, entries, operations, hello].map((message) => table.encode(message)));
    expect(table.decodeAll(body)).toEqual([hello, entries, operations, hello]);
  });

  test("reads an empty frame as no messages", () => {
    expect(table.decodeAll(new Uint8Array())).toEqual([]);
  });

  test("reads from the middle of a larger buffer", () => {
    const body = frame(table.encode(hello), table.encode(entries));
    const socket = Buffer.concat([Buffer.alloc(13, 0xff), body, Buffer.alloc(7, 0xc1)]);
    expect(table.decodeAll(socket.subarray(13, 13 + body.length))).toEqual([hello, entries]);
  });

  test("leaves out a message of an unknown code, tells its code, and reads what follows", () => {
    const unknown: number[] = [];
    const body = frame(table.encode(hello), pack([77, { of: "tomorrow" }]), table.encode(entries));
    expect(table.decodeAll(body, (code) => unknown.push(code))).toEqual([hello, entries]);
    expect(unknown).toEqual([77]);
  });

  test("ignores what a newer version put behind the parts it knows", () => {
    expect(table.decodeAll(pack([1, node, 1, 2, null, "more", [3]]))).toEqual([hello]);
    expect(table.decodeAll(pack([2, [[1, "a", null, "more"]], true]))).toEqual([
      { kind: "entries", entries: [{ serial: 1, name: "a", meta: undefined }], last: true },
    ]);
  });

  test("reads optional parts that an older version lacks as undefined", () => {
    expect(table.decodeAll(pack([1, node, 1, 2]))).toEqual([hello]);
  });

  test("refuses a message without a part that is not optional, and says which", () => {
    expect(() => table.decodeAll(pack([1, node, 1]))).toThrow(/^malformed: hello, maximum: /);
  });

  test.each([
    ["a number alone", 7],
    ["a code that is text", ["1", node]],
    ["no code", []],
    ["an object", { kind: "hello" }],
    ["a list over its maximum", [2, Array.from({ length: 4 }, () => [1, "a"]), true]],
    ["a list that is text", [2, "abc", true]],
    ["a tuple that is a number", [2, [1], true]],
    ["an unknown code in a union", [3, [[9, "a"]], makePid(node, 1), 0]],
  ])("refuses %s", (_what, value) => {
    expect(() => table.decodeAll(pack(value))).toThrow(MalformedError);
  });

  test("refuses a frame cut short anywhere", () => {
    const body = frame(table.encode(entries), table.encode(operations));
    const boundary = table.encode(entries).length;
    for (let length = 1; length < body.length; length += 1) {
      if (length === boundary) continue;
      expect(() => table.decodeAll(body.subarray(0, length))).toThrow(MalformedError);
    }
  });

  test("takes no code twice, and no part named like the tag", () => {
    expect(() => defineMessages({ one: [1, {}], two: [1, {}] })).toThrow(InvariantError);
    expect(() => defineMessages({ one: [1, { kind: nat }] })).toThrow(InvariantError);
    expect(() => tuple({ 1: nat })).toThrow(InvariantError);
  });

  test("does not write a list over its maximum, nor a kind it does not know", () => {
    const four = Array.from({ length: 4 }, () => ({ serial: 1, name: "a", meta: undefined }));
    expect(() => table.encode({ kind: "entries", entries: four, last: true })).toThrow(InvariantError);
    expect(() => table.encode({ kind: "other" } as unknown as Message)).toThrow(InvariantError);
  });
});

describe("fields", () => {
  test.each<[string, Field<unknown>, readonly unknown[], readonly unknown[]]>([
    [
      "nat",
      nat,
      [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER],
      [-1, 0.5, Number.NaN, 2 ** 53, Infinity, "1", 1n, null, undefined],
    ],
    ["flag", flag, [true, false], [0, 1, "true", null, undefined]],
    ["float", float, [0, -1.5, Number.NaN, Infinity, 2 ** 80], ["1", 1n, null, undefined]],
    [
      "text",
      text,
      ["a", "ö".repeat(256), "__proto__", "\u0000"],
      ["", "ö".repeat(257), "\ud800", 1, null, undefined],
    ],
    ["shortText", shortText, ["a", "x".repeat(64)], ["", "x".repeat(65), 1]],
    ["bytes", bytes, [Uint8Array.of(), Uint8Array.of(1, 2)], ["a", [1], null, undefined]],
    ["nodeId", nodeId, [node], ["web-1", "a@b", `${node}/1`, "", 1, null]],
    [
      "pid",
      pid,
      [makePid(node, 1), makePid(node, 2 ** 40)],
      [node, `${node}/0`, `${node}/`, `${node}/A`, "x/1", "/1", 1, null],
    ],
  ])("%s takes what it should and refuses the rest", (_name, field, good, bad) => {
    for (const value of good) expect(field.read(value)).toBe(value);
    for (const value of bad) expect(() => field.read(value)).toThrow(MalformedError);
  });

  test("a pid is judged the same whether or not one of its node came before", () => {
    pid.read(makePid(node, 1));
    for (const serial of ["0", "01", "", "Z", "-1", "1/1", " 1", "{", "123456789012", "1\u0000"]) {
      expect(() => pid.read(`${node}/${serial}`)).toThrow(MalformedError);
    }
    expect(pid.read(`${node}/z9`)).toBe(`${node}/z9`);
    expect(() => pid.read("/1")).toThrow(MalformedError);
  });

  test("optional carries undefined, a tuple its parts, a union its tag", () => {
    expect(through(optional(nat), undefined)).toBeUndefined();
    expect(through(optional(nat), 3)).toBe(3);
    expect(through(entry, { serial: 2, name: "n", meta: undefined })).toEqual({
      serial: 2,
      name: "n",
      meta: undefined,
    });
    expect(through(operation, { kind: "del", name: "n" })).toEqual({ kind: "del", name: "n" });
  });

  test("a record that was read is a plain object", () => {
    const record = through(entry, { serial: 2, name: "n", meta: undefined });
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
    expect(Object.keys(record)).toEqual(["serial", "name", "meta"]);
  });
});

describe("hostile frames", () => {
  function onlyMalformed(read: () => unknown): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
    }
  }

  test("random bytes are read or refused as malformed, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => onlyMalformed(() => table.decodeAll(body))),
      { numRuns: 5_000 },
    );
  });

  test("a good frame with some bytes changed is read or refused as malformed", () => {
    const body = frame(table.encode(entries), table.encode(operations), table.encode(hello));
    const change = fc.record({ at: fc.nat(body.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const damaged = Uint8Array.from(body);
        for (const { at, to } of changes) damaged[at] = to;
        onlyMalformed(() => table.decodeAll(damaged));
      }),
      { numRuns: 5_000 },
    );
  });

  test("any tree in place of a message is read or refused as malformed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.array(fc.anything()), (code, parts) => {
        onlyMalformed(() => table.decodeAll(new Packr({ useRecords: false }).pack([code, ...parts])));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["an array that claims four billion elements", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map that claims four billion entries", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a string longer than the frame", [0x92, 0x01, 0xdb, 0x7f, 0xff, 0xff, 0xff]],
    ["bytes longer than the frame", [0xc5, 0x00, 0x02, 0x00]],
    ["a number cut short", [0xcb, 0x00]],
  ])("%s is refused before it is decoded", (_what, body) => {
    expect(() => unpackAll(Uint8Array.from(body))).toThrow(/^malformed: a value cut short$/);
  });

  test.each([
    ["a record, whose reader would be compiled", [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01]],
    ["a record of two bytes", [0xd5, 0x72, 0x40, 0x00, 0x91, 0xa1, 0x61, 0x01]],
    ["a bundle of strings, which points anywhere", [0xd6, 0x62, 0xff, 0xff, 0xff, 0xff]],
    ["a reference", [0xd6, 0x70, 0x00, 0x00, 0x00, 0x01]],
    ["a date", [0xd6, 0xff, 0x00, 0x00, 0x00, 0x01]],
    ["a date in nanoseconds", [0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["an extension of 16 bytes", [0xd8, 0x01, ...new Array<number>(16).fill(0)]],
    ["a typed array", [0xc7, 0x03, 0x74, 0x01, 0x01, 0x02]],
    ["a long extension", [0xc8, 0x00, 0x01, 0x74, 0x01]],
    ["a longer extension", [0xc9, 0x00, 0x00, 0x00, 0x01, 0x74, 0x01]],
    ["the byte that is never used", [0xc1]],
  ])("%s is refused before it is decoded", (_what, body) => {
    expect(() => unpackAll(Uint8Array.from(body))).toThrow(
      /^malformed: a value of a type that is not used here/,
    );
  });

  test("nesting deeper than the stack is refused, and the next frame is read", () => {
    const deep = new Uint8Array(1_000_000).fill(0x91);
    deep[deep.length - 1] = 0x01;
    expect(() => table.decodeAll(deep)).toThrow(MalformedError);
    expect(table.decodeAll(table.encode(hello))).toEqual([hello]);
  });

  test("nested arrays that each claim the rest of the frame are refused before they are allocated", () => {
    const levels = 2_000;
    const body = new Uint8Array(levels * 5);
    const view = new DataView(body.buffer);
    for (let level = 0; level < levels; level += 1) {
      view.setUint8(level * 5, 0xdd);
      view.setUint32(level * 5 + 1, body.length - (level + 1) * 5);
    }
    expect(() => unpackAll(body)).toThrow(MalformedError);
  });
});
