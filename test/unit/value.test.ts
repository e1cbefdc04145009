import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitExceededError } from "../../src/kernel/errors.ts";
import { Value } from "../../src/kernel/value.ts";
import { MAX_DEPTH, MAX_HOLES } from "../../src/kernel/value-walk.ts";
import { anyValue, encode } from "./any-value.ts";

/** As another node gets it: from the middle of a larger buffer. */
function received(input: unknown): unknown {
  const { bytes } = encode(input);
  const frame = Buffer.concat([Buffer.alloc(11, 0xc1), bytes, Buffer.alloc(5, 0xff)]);
  const value = Value.fromBytes(frame.subarray(11, 11 + bytes.length)).get();
  frame.fill(0);
  return value;
}

describe("a value", () => {
  test("arrives as it was sent, whatever it is", () => {
    fc.assert(
      fc.property(anyValue, (input) => {
        expect(isDeepStrictEqual(received(input), input)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["minus zero", -0],
    ["an integer over 2^32", 2 ** 40 + 1],
    ["an integer over 2^53", 2 ** 60],
    ["the least 64-bit integer", -(2n ** 63n)],
    ["the most 64-bit integer", 2n ** 64n - 1n],
    ["an integer of 70,000 bits", -(2n ** 70_000n) + 12_345n],
    [
      "an object of 70,000 keys",
      Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`k${index}`, index])),
    ],
    ["an array of 70,000 items", Array.from({ length: 70_000 }, (_, index) => index % 7)],
    ["a text of two-byte letters", "ö".repeat(40_000)],
    [
      "keys that JavaScript sees as special",
      { constructor: 1, toJSON: 2, hasOwnProperty: null, toString: "t", "": [] },
    ],
    ["keys that look like numbers", { 2: "b", 1: "a", "01": "c", "-1": "d", b: 1, a: 2 }],
    ["undefined in places", { a: undefined, b: [undefined, null] }],
    ["an empty Map in a Set in an array", [new Set([new Map()])]],
    ["a Map with objects as keys", new Map<unknown, unknown>([[{ a: 1 }, new Map([[[1], 2]])]])],
    ["a Date", new Date(1_700_000_000_123)],
    ["an ArrayBuffer", Uint8Array.of(1, 2, 3).buffer],
    ["a DataView", new DataView(Uint8Array.of(1, 2, 3).buffer)],
    [
      "64-bit typed arrays",
      [BigInt64Array.of(-1n), BigUint64Array.of(2n ** 64n - 1n), Float64Array.of(-0, Number.NaN)],
    ],
    ["boxed primitives", [Object(1), Object("a"), Object(false), Object(3n), Object(-0)]],
    ["holes", Object.assign(new Array<number>(5), { 1: 1, 3: 2 })],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
  ])("carries %s", (_what, input) => {
    expect(isDeepStrictEqual(received(input), input)).toBe(true);
  });

  test("carries an invalid Date", () => {
    expect(received(new Date(Number.NaN))).toEqual(new Date(Number.NaN));
  });

  test("carries an own property named __proto__ as just that", () => {
    const input: unknown = JSON.parse('{"__proto__": {"admin": true}, "a": {"__proto__": 1}}');
    const value = received(input) as { readonly admin?: boolean };
    expect(isDeepStrictEqual(value, input)).toBe(true);
    expect(value.admin).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { readonly admin?: boolean }).admin).toBeUndefined();
  });

  test("carries cycles and shared references of any shape", () => {
    const edges = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 25 });
    const kinds = fc.array(fc.constantFrom("object", "array", "map", "set"), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(kinds, edges, (kinds, edges) => {
        const nodes = kinds.map((kind) => container(kind));
        for (const [index, [from, to]] of edges.entries()) link(nodes[from], `e${index}`, nodes[to]);
        const arrived = received(nodes) as readonly unknown[];
        expect(shapeOf(arrived)).toEqual(shapeOf(nodes));
      }),
    );
  });

  test("carries errors with what they say, as the built-in error that they extend", () => {
    class PaymentError extends RangeError {
      override readonly name = "PaymentError";
      readonly code = "E_PAYMENT";
      readonly socket = new EventTarget();
    }
    const cause = new TypeError("no card");
    const error = new PaymentError("declined", { cause });
    const arrived = received(error) as PaymentError;
    expect(arrived).toBeInstanceOf(RangeError);
    expect(Object.getPrototypeOf(arrived)).toBe(RangeError.prototype);
    expect([arrived.name, arrived.message, arrived.code, arrived.socket]).toEqual([
      "PaymentError",
      "declined",
      "E_PAYMENT",
      undefined,
    ]);
    expect(arrived.stack).toBe(error.stack);
    expect(arrived.cause).toEqual(cause);
    expect(arrived.cause).toBeInstanceOf(TypeError);
    expect(Object.keys(arrived)).toEqual(["name", "code"]);

    const several = received(new AggregateError([cause, 7], "both")) as AggregateError;
    expect(several).toBeInstanceOf(AggregateError);
    expect(several.errors).toEqual([cause, 7]);
    expect(received({ plain: new Error("\ud800 broken") })).toEqual({ plain: new Error("\ufffd broken") });
  });

  test("carries values of another realm", () => {
    const foreign: unknown = runInNewContext(
      "({ list: [1, 2], map: new Map([[1, 2]]), date: new Date(0), bytes: new Uint8Array([1]), error: new TypeError('x') })",
    );
    expect(received(foreign)).toEqual({
      list: [1, 2],
      map: new Map([[1, 2]]),
      date: new Date(0),
      bytes: Uint8Array.of(1),
      error: new TypeError("x"),
    });
  });

  test("takes only what a view shows, not the buffer behind it", () => {
    const secret = Buffer.from("shown, and secret");
    const { bytes } = encode([secret.subarray(0, 5), new DataView(secret.buffer, secret.byteOffset, 5)]);
    expect(Buffer.from(bytes).includes("shown")).toBe(true);
    expect(Buffer.from(bytes).includes("secret")).toBe(false);
  });

  test("gives a Buffer back as a Uint8Array with memory of its own", () => {
    for (const arrived of [
      received(Buffer.from([1, 2])),
      (received([Buffer.from([1, 2])]) as Uint8Array[])[0],
    ]) {
      expect(Object.getPrototypeOf(arrived)).toBe(Uint8Array.prototype);
      expect(arrived).toEqual(Uint8Array.of(1, 2));
      expect((arrived as Uint8Array).buffer.byteLength).toBe(2);
    }
  });
});

describe("a value is taken by copy and given read-only", () => {
  test("what is changed after encoding shows nowhere", () => {
    fc.assert(
      fc.property(
        fc.object({ withMap: true, withSet: true, withTypedArray: true, withDate: false }),
        (input) => {
          const before: unknown = structuredClone(input);
          const value = encode(input);
          scramble(input, new Set());
          expect(value.get()).toEqual(before);
        },
      ),
    );
  });

  test("plain objects and arrays are frozen all the way down, in either way of writing", () => {
    for (const extra of [{}, { rich: new Map([["inner", [{ deep: [1] }]]]) }]) {
      const value = received({ list: [{ a: [] }], ...extra }) as {
        list: [{ a: [] }];
        rich?: Map<string, [{ deep: [] }]>;
      };
      const inner = value.rich?.get("inner");
      const parts = [
        value,
        value.list,
        value.list[0],
        value.list[0].a,
        ...(inner ? [inner, inner[0], inner[0].deep] : []),
      ];
      for (const part of parts) expect(Object.isFrozen(part)).toBe(true);
    }
  });

  test("is decoded once, however often it is read", () => {
    const value = encode({ a: 1 });
    expect(value.get()).toBe(value.get());
  });

  test("a getter is read once, and what it gives is what is sent", () => {
    let reads = 0;
    const input = {
      get count() {
        reads += 1;
        return reads === 1 ? "once" : () => "twice";
      },
    };
    expect(encode(input).get()).toEqual({ count: "once" });
  });

  test("kept bytes are independent of the frame", () => {
    const frame = Buffer.concat([encode({ a: "text" }).bytes]);
    const kept = Value.fromBytes(frame).kept();
    frame.fill(0);
    expect(kept.get()).toEqual({ a: "text" });
    expect(kept.bytes.buffer.byteLength).toBe(kept.bytes.length);
  });
});

describe("what is not a value is refused", () => {
  class Account {
    readonly id = 1;
  }
  test.each<[string, unknown, string]>([
    ["a function", () => 1, "message"],
    ["a function inside", { user: { name: () => 1 } }, "message.user.name"],
    ["a symbol in an array", { list: [1, [Symbol("s")]] }, "message.list[1][0]"],
    ["a class instance", { "my account": new Account() }, 'message["my account"]'],
    ["a subclass of Map", [new (class Table extends Map {})()], "message[0]"],
    ["a subclass of Array", { a: new (class List extends Array {})() }, "message.a"],
    ["a subclass of Uint8Array", { a: new (class Block extends Uint8Array {})(1) }, "message.a"],
    ["an object with another prototype", { a: Object.create({ b: 1 }) }, "message.a"],
    ["a WeakMap", { a: new WeakMap() }, "message.a"],
    ["a promise", { a: Promise.resolve() }, "message.a"],
    ["a shared buffer", { a: new SharedArrayBuffer(1) }, "message.a"],
    ["a boxed symbol", { a: Object(Symbol("s")) }, "message.a"],
    ["a proxy of a Map", { a: new Proxy(new Map(), {}) }, "message.a"],
    ["a function in a Map", { map: new Map([["k", () => 1]]) }, "message.map entry 0"],
    ["a function as a key of a Map", { map: new Map([[() => 1, 1]]) }, "message.map key 0"],
    ["a function in a Set", { set: new Set([1, () => 1]) }, "message.set item 1"],
    ["a function as a cause", new Error("e", { cause: () => 1 }), "message.cause"],
    ["a lone surrogate", { text: "a\udc00" }, "message.text"],
    ["a lone surrogate in a key", { "\ud800": 1 }, 'message["\\ud800"]'],
    ["a lone surrogate beside a Map", [new Map(), "a\udc00"], "message[1]"],
    [
      "a lone surrogate in a regular expression",
      [/\ud800/, new RegExp(String.fromCharCode(0xd800))],
      "message[1].source",
    ],
  ])("%s, with the path to it", (_what, input, path) => {
    const attempt = () => encode(input);
    expect(attempt).toThrow(InvalidArgumentError);
    expect(attempt).toThrow(expect.objectContaining({ path }));
  });

  test("the message names the class", () => {
    expect(() => encode({ a: new Account() })).toThrow(
      /^message\.a is .*\(this is an instance of Account\)$/,
    );
  });

  test("nesting is taken to its limit and refused over it, in either way of writing", () => {
    for (const leaf of [1, new Date(0)]) {
      let nested: unknown = leaf;
      for (let depth = 0; depth < MAX_DEPTH; depth += 1) nested = depth % 2 === 0 ? [nested] : { in: nested };
      expect(isDeepStrictEqual(received(nested), nested)).toBe(true);
      expect(() => encode([nested])).toThrow(InvalidArgumentError);
    }
    const endless: unknown[] = [];
    endless.push([endless]);
    expect(() => encode(endless)).not.toThrow();
  });

  test("holes are taken up to their limit", () => {
    expect((received(new Array(MAX_HOLES)) as unknown[]).length).toBe(MAX_HOLES);
    expect(() => encode([new Array(MAX_HOLES), new Array(1)])).toThrow(InvalidArgumentError);
    expect(() => encode(new Array(2 ** 32 - 1))).toThrow(InvalidArgumentError);
  });

  test("size is judged on the bytes, and the limit is named", () => {
    const small = { name: "metadataBytes", bytes: 10 };
    expect(Value.encode("123456789", small, "meta").bytes.length).toBe(10);
    const tooLong = () => Value.encode("1234567890", small, "meta");
    expect(tooLong).toThrow(LimitExceededError);
    expect(tooLong).toThrow(expect.objectContaining({ limit: "metadataBytes", allowed: 10 }));
    for (const input of [
      "ööööö",
      [1, 2, 3, 4, "five5"],
      new Set(["12345678"]),
      new Uint8Array(10),
      2n ** 80n,
    ]) {
      expect(() => Value.encode(input, small, "meta")).toThrow(LimitExceededError);
    }
  });

  test("a value far over its limit is refused without a look at all of it", () => {
    let looks = 0;
    const list = Array.from({ length: 10_000 }, () => ({
      get part() {
        looks += 1;
        return "x".repeat(1_000);
      },
    }));
    expect(() => encode(list)).toThrow(LimitExceededError);
    expect(looks).toBeLessThan(600);
  });
});

describe("equality", () => {
  test("is that of the contents", () => {
    expect(encode({ a: 1, b: [2] }).equals(encode({ b: [2], a: 1 }))).toBe(true);
    expect(encode({ a: 1 }).equals(encode({ a: 2 }))).toBe(false);
    expect(encode({ a: 1, d: new Date(1) }).equals(encode({ d: new Date(1), a: 1 }))).toBe(true);
    expect(encode(0).equals(encode(-0))).toBe(false);
    expect(encode({ a: undefined }).equals(encode({}))).toBe(false);
    expect(Value.undefined.equals(encode(undefined))).toBe(true);
    expect(Value.undefined.get()).toBeUndefined();
  });

  test("of malformed bytes is that of the bytes", () => {
    const junk = Value.fromBytes(Uint8Array.of(0xc1, 0xff));
    expect(junk.equals(encode(1))).toBe(false);
    expect(junk.equals(Value.fromBytes(Uint8Array.of(0xc1, 0xff)))).toBe(true);
  });

  test("never takes time exponential in the size of what is shared", () => {
    const doubled = (leaf: unknown) => {
      let value: unknown = [leaf];
      for (let level = 0; level < 100; level += 1) value = [value, value];
      return encode(value);
    };
    expect(doubled({ a: 1, b: 2 }).equals(doubled({ b: 2, a: 1 }))).toBe(false);
    expect(doubled({ a: 1, b: 2 }).equals(doubled({ a: 1, b: 2 }))).toBe(true);
  });

  test("never compares the objects of a Set, or the keys of a Map, each with each", () => {
    const set = encode(new Set([{ a: 1, b: 2 }]));
    expect(set.equals(encode(new Set([{ b: 2, a: 1 }])))).toBe(false);
    const map = encode(new Map([[{ a: 1, b: 2 }, 1]]));
    expect(map.equals(encode(new Map([[{ b: 2, a: 1 }, 1]])))).toBe(false);
    expect(encode(new Map([["k", { a: 1, b: 2 }]])).equals(encode(new Map([["k", { b: 2, a: 1 }]])))).toBe(
      true,
    );
  });
});

type Kind = "object" | "array" | "map" | "set";

function container(kind: Kind): object {
  if (kind === "object") return {};
  if (kind === "array") return [];
  return kind === "map" ? new Map() : new Set();
}

function link(from: unknown, key: string, to: unknown): void {
  if (from instanceof Map) from.set(key, to);
  else if (from instanceof Set) from.add(to);
  else if (Array.isArray(from)) from.push(to);
  else (from as Record<string, unknown>)[key] = to;
}

/** Which object stands where, by number in the order of a walk: equal for values with the same references. */
function shapeOf(root: unknown): unknown {
  const numbers = new Map<unknown, number>();
  const walk = (value: unknown): unknown => {
    const known = numbers.get(value);
    if (known !== undefined) return known;
    numbers.set(value, numbers.size);
    if (value instanceof Map) return { map: [...value].map(([key, part]) => [key, walk(part)]) };
    if (value instanceof Set) return { set: [...value].map(walk) };
    if (Array.isArray(value)) return value.map(walk);
    return Object.entries(value as object).map(([key, part]) => [key, walk(part)]);
  };
  return walk(root);
}

/** Changes everything in a value that can be changed. */
function scramble(value: unknown, seen: Set<unknown>): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (ArrayBuffer.isView(value)) new Uint8Array(value.buffer).fill(0x5a);
  else if (value instanceof Map || value instanceof Set) {
    for (const part of value.values()) scramble(part, seen);
    value.clear();
  } else {
    for (const part of Object.values(value)) scramble(part, seen);
    for (const key of Object.keys(value)) Object.defineProperty(value, key, { value: "scrambled" });
  }
}
