import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createPubSub, type StandardSchema } from "../../../../src/index.ts";
import { InvalidArgumentError, LimitExceededError } from "../../../../src/kernel/errors.ts";
import { Shells } from "../../../support/shells.ts";

/** A schema by hand: whatever its `validate` does and gives. */
function schemaBy(validate: (value: never) => unknown): StandardSchema {
  const given = validate as StandardSchema["~standard"]["validate"];
  return { "~standard": { version: 1, vendor: "test", validate: given } };
}

/** What a broadcast throws. */
function thrownBy(broadcast: () => void): unknown {
  try {
    broadcast();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("a schema that changes the message in place", () => {
  interface Counted {
    n: unknown;
    deep: { list: unknown[]; map: Map<string, { n: number }> };
  }
  const Counting = schemaBy((value: Counted) => {
    value.n = Number(value.n);
    value.deep.list.push("more");
    const inMap = value.deep.map.get("key");
    if (inMap !== undefined) inMap.n += 1;
    return { value };
  });

  test("changes a copy: neither the sender's, nor what others are given, and receivers get what it made", async () => {
    const shells = new Shells("in place");
    const [a, b] = await shells.startAll("a", "b");
    const got: [string, unknown][] = [];
    for (const node of [a, b]) {
      createPubSub(node, { messages: Counting }).subscribe("x", (message) => got.push(["made", message]));
      createPubSub(node).subscribe("x", (message) => got.push(["sent", message]));
    }
    await shells.run(20);
    const message = { n: "5", deep: { list: [1], map: new Map([["key", { n: 1 }]]) } };
    const sent = structuredClone(message);
    createPubSub(a, { messages: Counting }).broadcast("x", message);
    await shells.run(20);
    expect(message).toEqual(sent);
    const made = { n: 5, deep: { list: [1, "more"], map: new Map([["key", { n: 2 }]]) } };
    expect(got.sort(([left], [right]) => (left < right ? -1 : 1))).toEqual([
      ...[made, made].map((each) => ["made", each]),
      ...[sent, sent].map((each) => ["sent", each]),
    ]);
    expect([a, b].map((node) => node.stats().messages.misfits)).toEqual([0, 0]);
  });

  test("is told of what it does not take as it was given", async () => {
    const a = await new Shells("changed and refused").start("a");
    const messages = schemaBy((value: { n: unknown }) => {
      value.n = "changed";
      return { issues: [{ message: "a number", path: ["n"] }] };
    });
    expect(thrownBy(() => createPubSub(a, { messages }).broadcast("x", { n: "5" }))).toMatchObject({
      ...{ path: "message.n", value: "5", expected: 'what topic "x" takes: a number' },
    });
  });
});

describe("a schema that does what no schema should", () => {
  class Point {
    readonly x = 1;
  }
  const failure = new Error("looked up in vain");

  test.each<[string, (value: never) => unknown, string]>([
    ["gives nothing", () => undefined, "validate(message)"],
    ["gives a text", () => "fine", "validate(message)"],
    ["gives issues that are none", () => ({ issues: 7 }), "validate(message)"],
    ["makes an instance of a class", () => ({ value: new Point() }), "validate(message).value"],
    ["makes a function", () => ({ value: { deep: [() => 1] } }), "validate(message).value.deep[0]"],
    [
      "throws",
      () => {
        throw failure;
      },
      "validate(message)",
    ],
  ])("%s: the sender is told, by its path", async (_what, validate, path) => {
    const a = await new Shells("misbehaving").start("a");
    const schema = schemaBy(validate);
    const forms = [
      ["messages", createPubSub(a, { name: "one", messages: schema })],
      ['messages["x"]', createPubSub(a, { name: "by-topic", messages: { x: schema } as never })],
      ['messages("x")', createPubSub(a, { name: "by-function", messages: () => schema })],
    ] as const;
    for (const [start, pubsub] of forms) {
      const thrown = thrownBy(() => pubsub.broadcast("x", { any: 1 }));
      expect(thrown).toBeInstanceOf(InvalidArgumentError);
      expect(thrown).toMatchObject({ path: `${start}["~standard"].${path}` });
    }
  });

  test("throws: the sender is told what", async () => {
    const a = await new Shells("throwing").start("a");
    const messages = schemaBy(() => {
      throw failure;
    });
    const thrown = thrownBy(() => createPubSub(a, { messages }).broadcast("x", 1));
    expect(thrown).toMatchObject({ cause: failure, value: failure });
  });

  test("makes more than a message may be: the sender is told", async () => {
    const a = await new Shells("too much").start("a");
    const messages = schemaBy(() => ({ value: "x".repeat(600 * 1024) }));
    expect(() => createPubSub(a, { messages }).broadcast("x", 1)).toThrow(LimitExceededError);
  });

  test.each<[string, unknown]>([
    ["null", [null]],
    ["an object without a key", [{}]],
    ["no list", 7],
  ])("names the part by a path of %s: the message is refused all the same", async (_what, path) => {
    const a = await new Shells("strange paths").start("a");
    const messages = schemaBy(() => ({ issues: [{ message: "another", path }] }));
    const thrown = thrownBy(() => createPubSub(a, { messages }).broadcast("x", { any: 1 }));
    expect(thrown).toBeInstanceOf(InvalidArgumentError);
    expect(thrown).toMatchObject({ path: "message", value: { any: 1 } });
  });

  test("costs receivers that message, and them alone", async () => {
    const shells = new Shells("misbehaving receivers");
    const a = await shells.start("a");
    const onA = createPubSub(a);
    const got: unknown[] = [];
    const misbehaving = [() => undefined, () => ({ value: new Point() }), () => ({ issues: 7 })];
    for (const validate of misbehaving)
      createPubSub(a, { messages: schemaBy(validate) }).subscribe("x", (message) => got.push(message));
    onA.subscribe("x", (message) => got.push(message));
    onA.broadcast("x", "any");
    await shells.run(20);
    expect(got).toEqual(["any"]);
    expect(a.stats().messages.misfits).toBe(misbehaving.length);
    expect(shells.log.map(({ message }) => message)).toContain("a schema failed, and a message was dropped");
  });
});

test("what a schema is given has all that messages have", async () => {
  const shells = new Shells("all values");
  const a = await shells.start("a");
  const seen: unknown[] = [];
  const messages = schemaBy((value: unknown) => {
    seen.push(value);
    return { value };
  });
  const pubsub = createPubSub(a, { messages });
  pubsub.subscribe("x", (message) => seen.push(message));
  const itself: unknown[] = [1];
  itself.push(itself);
  const bare = Object.assign(Object.create(null) as object, { ["__proto__"]: 1, deep: { n: -0 } });
  const sent = {
    at: new Date(7),
    set: new Set([{ n: 1 }]),
    bytes: new Uint8Array([1]),
    itself,
    bare,
    holes: Object.assign(new Array<number>(3), { 0: 1, 2: 3 }),
  };
  pubsub.broadcast("x", sent);
  await shells.run(20);
  expect(seen).toHaveLength(3);
  for (const each of seen) expect(each).toStrictEqual(sent);
});

test("a topic without a schema takes no copy, and anything", async () => {
  const shells = new Shells("no schema");
  const a = await shells.start("a");
  const got: unknown[] = [];
  const pubsub = createPubSub(a, { messages: { x: z.string() } });
  pubsub.subscribe("y", (message) => got.push(message));
  let reads = 0;
  pubsub.broadcast("y", {
    get n() {
      reads += 1;
      return 1;
    },
  });
  await shells.run(20);
  expect([got, reads]).toEqual([[{ n: 1 }], 1]);
});
