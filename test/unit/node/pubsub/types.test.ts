import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  createPresence,
  createPubSub,
  InvalidArgumentError,
  type PubSub,
  type StandardSchema,
} from "../../../../src/index.ts";
import { Shells } from "../../../support/shells.ts";

const Move = z.object({ x: z.number(), y: z.number().default(0) });
const Chat = z.string().transform((text) => ({ text }));

describe("with schemas by topic", () => {
  test("each topic takes what its schema takes, and gives what that makes of it", async () => {
    const shells = new Shells("types by topic");
    const a = await shells.start("a");
    const topics = createPubSub(a, { messages: { moves: Move, chat: Chat } });
    const got: unknown[] = [];
    topics.subscribe("moves", (move) => {
      expectTypeOf(move).toEqualTypeOf<{ x: number; y: number }>();
      got.push(move);
    });
    topics.subscribe("chat", (message, { topic }) => {
      expectTypeOf(message).toEqualTypeOf<{ text: string }>();
      got.push([topic, message]);
    });
    topics.subscribe("other", (message) => {
      expectTypeOf(message).toBeUnknown();
      got.push(message);
    });
    topics.broadcast("moves", { x: 1 });
    topics.localBroadcast("chat", "hello");
    topics.broadcastFrom(a.spawn(), "other", 7);
    await shells.run(20);
    expect(got).toEqual(expect.arrayContaining([{ x: 1, y: 0 }, ["chat", { text: "hello" }], 7]));
    expectTypeOf(topics.broadcast<"moves">)
      .parameter(1)
      .toEqualTypeOf<{ x: number; y?: number | undefined }>();
    expectTypeOf(topics.broadcastFrom<"chat">)
      .parameter(2)
      .toEqualTypeOf<string>();
    expectTypeOf(topics.directBroadcast<"chat">)
      .parameter(2)
      .toEqualTypeOf<string>();
    expectTypeOf(topics.localBroadcast<"other">)
      .parameter(1)
      .toBeUnknown();
  });

  test("a topic that is found out while the program runs takes anything, until it is looked at", async () => {
    const a = await new Shells("types at run time").start("a");
    const topics = createPubSub(a, { messages: { moves: Move } });
    const found = "moves" as string;
    expectTypeOf(topics.broadcast<string>)
      .parameter(1)
      .toBeUnknown();
    expect(() => topics.broadcast(found, "nonsense")).toThrow(InvalidArgumentError);
  });

  test("one of several topics takes what all of them take, and gives what any gives", async () => {
    const a = await new Shells("types of several").start("a");
    const Colour = z.object({ colour: z.string() });
    const topics = createPubSub(a, { messages: { moves: Move, colours: Colour, chat: Chat } });
    expectTypeOf(topics.broadcast<"moves" | "colours">)
      .parameter(1)
      .toEqualTypeOf<{ x: number; y?: number | undefined } & { colour: string }>();
    expectTypeOf(topics.localBroadcast<"moves" | "chat">)
      .parameter(1)
      .toExtend<string>();
    // What the others take says nothing against what this one takes.
    expectTypeOf(topics.broadcast<"chat" | "other">)
      .parameter(1)
      .toEqualTypeOf<string>();
    // A text is no move.
    expectTypeOf("hello").not.toExtend<Parameters<typeof topics.broadcast<"moves" | "chat">>[1]>();
    const some = ["moves", "chat"] as const;
    for (const topic of some) {
      topics.subscribe(topic, (message) => {
        expectTypeOf(message).toEqualTypeOf<{ x: number; y: number } | { text: string }>();
      });
    }
  });

  test("a schema of several types takes each of them", async () => {
    const a = await new Shells("types of a union").start("a");
    const topics = createPubSub(a, { messages: { either: z.union([z.string(), z.boolean()]) } });
    expectTypeOf(topics.broadcast<"either">)
      .parameter(1)
      .toEqualTypeOf<string | boolean>();
  });

  test("it is a pub-sub like any other", async () => {
    const a = await new Shells("types of any").start("a");
    const topics = createPubSub(a, { name: "moves", messages: { moves: Move } });
    expectTypeOf(topics).toExtend<PubSub>();
    expect(createPresence(topics).list("moves")).toEqual({});
  });
});

describe("otherwise", () => {
  test("one schema is for all topics; a function, and schemas that are not written out, say nothing", async () => {
    const a = await new Shells("types of the others").start("a");
    const one = createPubSub(a, { messages: Move });
    expectTypeOf(one).toEqualTypeOf<
      PubSub<{ x: number; y?: number | undefined }, { x: number; y: number }>
    >();
    const byFunction = createPubSub(a, { messages: (topic) => (topic === "moves" ? Move : undefined) });
    expectTypeOf(byFunction).toEqualTypeOf<PubSub>();
    expectTypeOf(createPubSub(a)).toEqualTypeOf<PubSub>();
    expectTypeOf(createPubSub(a, { name: "moves" })).toEqualTypeOf<PubSub>();
    const some: Readonly<Record<string, StandardSchema>> = { moves: Move };
    const loose = createPubSub(a, { messages: some });
    expectTypeOf(loose.broadcast<"moves">)
      .parameter(1)
      .toBeUnknown();
    expect(() => loose.broadcast("moves", "nonsense")).toThrow(InvalidArgumentError);
  });
});
