import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createPubSub, type Listener } from "../../../../src/index.ts";
import { InvalidArgumentError, LimitExceededError } from "../../../../src/kernel/errors.ts";
import { Shells } from "../../../support/shells.ts";

/** Two nodes, a pub-sub on each, and what has come where. */
async function setUp(seed: string) {
  const shells = new Shells(seed);
  const [a, b] = await shells.startAll("a", "b");
  const got: unknown[] = [];
  const note =
    (who: string): Listener =>
    (message) =>
      void got.push([who, message]);
  return { shells, a, b, onA: createPubSub(a), onB: createPubSub(b), got, note };
}

describe("messages", () => {
  const Move = z.object({ x: z.number(), y: z.number().default(0) });

  test("that do not fit their schema are refused where they are sent", async () => {
    const { a } = await setUp("typed");
    const typed = createPubSub(a, { messages: Move });
    typed.broadcast("x", { x: 1 });
    const wrong = [{ x: "one" }, undefined, 7] as unknown as { x: number }[];
    for (const message of wrong) expect(() => typed.broadcast("x", message)).toThrow(InvalidArgumentError);
    expect(() => typed.localBroadcast("x", { x: "one" } as never)).toThrow(
      /^message\.x is "one"; .* topic "x"/,
    );
  });

  test("are looked at again where they arrive, and are what the schema makes of them", async () => {
    const { shells, a, b, onA, onB, got, note } = await setUp("typed at both ends");
    const typed = createPubSub(b, { messages: Move });
    typed.subscribe("x", note("typed"));
    onB.subscribe("x", note("untyped"));
    await shells.run(20);
    onA.broadcast("x", { x: 1, more: true });
    onA.broadcast("x", "nonsense");
    onA.broadcast("x", { x: 2, y: 3 });
    await shells.run(20);
    expect(got.filter((each) => (each as unknown[])[0] === "typed")).toEqual([
      ["typed", { x: 1, y: 0 }],
      ["typed", { x: 2, y: 3 }],
    ]);
    expect(got).toHaveLength(5);
    expect([a, b].map((node) => node.stats().messages.misfits)).toEqual([0, 1]);
  });

  test("may have a schema for some topics only, or by a function", async () => {
    const { a } = await setUp("by topic");
    const byTopic = createPubSub(a, { messages: { moves: Move } });
    expect(() => byTopic.broadcast("moves", 1 as never)).toThrow(InvalidArgumentError);
    byTopic.broadcast("toString", 1);
    const byFunction = createPubSub(a, {
      messages: (topic) => (topic.startsWith("move:") ? Move : undefined),
    });
    expect(() => byFunction.broadcast("move:1", 1)).toThrow(InvalidArgumentError);
    byFunction.broadcast("other", 1);
  });

  test("are refused by a schema that is not synchronous, or is none", async () => {
    const { a } = await setUp("not a schema");
    const late = createPubSub(a, { messages: z.string().refine(async () => true) });
    expect(() => late.broadcast("x", "y")).toThrow();
    for (const messages of [7, "x", { x: 7 }, null]) {
      expect(() => createPubSub(a, { messages } as never)).toThrow(InvalidArgumentError);
    }
    const strange = createPubSub(a, { messages: () => 7 as never });
    expect(() => strange.broadcast("x", 1)).toThrow(InvalidArgumentError);
  });

  test("are values: nobody sees what the sender or another subscriber does to one", async () => {
    const { shells, onA, onB } = await setUp("values");
    const got: unknown[] = [];
    for (const pubsub of [onA, onB]) {
      pubsub.subscribe("x", (message) => {
        const { list } = message as { list: Set<number> };
        got.push([...list]);
        list.add(9);
      });
      pubsub.subscribe("x", (message) => void got.push([...(message as { list: Set<number> }).list]));
    }
    await shells.run(20);
    const message = { list: new Set([1]) };
    onA.broadcast("x", message);
    message.list.add(2);
    await shells.run(20);
    expect(got).toEqual([[1], [1], [1], [1]]);
    expect(() => onA.broadcast("x", () => 1)).toThrow(InvalidArgumentError);
    expect(() => onA.broadcast("x", "x".repeat(600 * 1024))).toThrow(LimitExceededError);
  });
});

describe("what a schema makes of a message", () => {
  /** Gives everybody the same, as a schema that looks things up does. */
  const known = { set: new Set([1]), list: [1] };
  const Lookup = z.string().transform(() => known);

  test("is a value too: no subscriber sees what another does to it, nor does the schema", async () => {
    const { shells, a, b } = await setUp("values of a schema");
    const got: unknown[] = [];
    for (const node of [a, b]) {
      const typed = createPubSub(node, { messages: Lookup });
      for (let count = 0; count < 2; count += 1) {
        typed.subscribe("x", ({ set, list }) => {
          got.push([...set], list);
          set.add(9);
          expect(() => list.push(9)).toThrow(TypeError);
        });
      }
    }
    await shells.run(20);
    createPubSub(a, { messages: Lookup }).broadcast("x", "any");
    await shells.run(20);
    expect(got).toEqual(Array.from({ length: 8 }, () => [1]));
    expect(known).toEqual({ set: new Set([1]), list: [1] });
    expect(a.stats().messages.handlerErrors + b.stats().messages.handlerErrors).toBe(0);
  });

  test("is nothing that could not have been sent", async () => {
    const { shells, a, onA, got, note } = await setUp("no values of a schema");
    const typed = createPubSub(a, { messages: z.string().transform(() => () => 1) });
    typed.subscribe("x", note("typed"));
    expect(() => typed.broadcast("x", "any")).toThrow(InvalidArgumentError);
    onA.broadcast("x", "any");
    await shells.run(20);
    expect(got).toEqual([]);
    expect(a.stats().messages.misfits).toBe(1);
    expect(shells.log.map(({ message }) => message)).toContain("a schema failed, and a message was dropped");
  });
});
