import { expect, test } from "vitest";
import { RESERVATION_MS } from "../../../src/lease/limits.ts";
import type { Get } from "./stage.ts";

export function describeQueues(get: Get): void {
  const waiting = (ticket = 0) => ({ ticket });

  test("those who wait are numbered as they come", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    expect(await b.acquire("x", waiting())).toMatchObject({ kind: "held", ticket: 1, ahead: 0 });
    expect(await c.acquire("x", waiting())).toMatchObject({ kind: "held", ticket: 2, ahead: 1 });
    expect(await b.acquire("x", waiting())).toMatchObject({ kind: "held", ticket: 1, ahead: 0 });
    expect(await c.acquire("x", { claim: 2, ticket: 0 })).toMatchObject({ ticket: 3, ahead: 2 });
    expect(await c.acquire("y", waiting())).toMatchObject({ kind: "granted" });
  });

  test("a ticket can be raised, and then others are ahead", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    await b.acquire("x", waiting());
    await c.acquire("x", waiting());
    expect(await b.acquire("x", waiting(9))).toMatchObject({ kind: "held", ticket: 9, ahead: 1 });
    expect(await b.acquire("x", waiting(3))).toMatchObject({ kind: "held", ticket: 9, ahead: 1 });
    // One that brings its ticket along gets the place that goes with it.
    const d = await get().member("d");
    expect(await d.acquire("x", waiting(1))).toMatchObject({ kind: "held", ticket: 1, ahead: 0 });
  });

  test("a name that is released is kept for who is first in line, and the releaser is told who that is", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    await b.acquire("x", waiting());
    await c.acquire("x", waiting());
    expect(await a.release("x")).toBe(b.id);
    const kept = { kind: "reserved", next: b.id };
    expect(await c.acquire("x", waiting())).toMatchObject({ ...kept, ticket: 2, ahead: 1 });
    expect(await a.acquire("x", { claim: 2 })).toMatchObject({ ...kept, ticket: undefined });
    expect(await b.acquire("x", waiting())).toMatchObject({ kind: "granted" });
    expect(await c.acquire("x", waiting())).toMatchObject({ kind: "held", ticket: 2, ahead: 1 });
    expect(await b.release("x")).toBe(c.id);
  });

  test("it is kept for who waits too when the holder's session ends", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    await b.acquire("x", waiting());
    await get().pass(1.1 * get().ttlMs, [b, c]);
    expect(await c.acquire("x")).toMatchObject({ kind: "reserved" });
    expect(await b.acquire("x", waiting())).toMatchObject({ kind: "granted" });
  });

  test("a waiter that does not come is passed over after its time, also with its session alive", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    await b.acquire("x", waiting());
    await c.acquire("x", waiting());
    await a.release("x");
    const kept = await c.acquire("x", waiting());
    if (kept.kind !== "reserved") throw new Error(`it should be kept, and is ${kept.kind}`);
    expect(kept.leftMs).toBeLessThanOrEqual(RESERVATION_MS);
    await get().pass(RESERVATION_MS + 1, [b, c]);
    expect(await c.acquire("x", waiting(2))).toMatchObject({ kind: "granted" });
    expect(await b.acquire("x", waiting(1))).toMatchObject({ kind: "held", ticket: 1, ahead: 0 });
  });

  test("with a waiter that does not come those of the same session that are next in line are passed over", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    for (const claim of [1, 2, 3]) await b.acquire("x", { claim, ticket: 0 });
    await c.acquire("x", waiting());
    await b.acquire("x", { claim: 4, ticket: 0 });
    expect(await a.release("x")).toBe(b.id);
    await get().pass(RESERVATION_MS + 1, [b, c]);
    expect(await a.acquire("x", { claim: 2 })).toMatchObject({ kind: "reserved", next: c.id, ahead: 2 });
    // They get their places back by asking.
    expect(await b.acquire("x", { claim: 2, ticket: 2 })).toMatchObject({ kind: "granted" });
    expect(await c.acquire("x", waiting())).toMatchObject({ kind: "held", ticket: 4, ahead: 1 });
    expect(await b.acquire("x", { claim: 3, ticket: 3 })).toMatchObject({
      kind: "held",
      ticket: 3,
      ahead: 1,
    });
  });

  test("a waiter that is late, but whom nobody has overtaken, is served", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    await b.acquire("x", waiting());
    await c.acquire("x", waiting());
    await a.release("x");
    await get().pass(RESERVATION_MS + 1, [b, c]);
    expect(await b.acquire("x", waiting())).toMatchObject({ kind: "granted" });
  });

  test("a waiter whose session has ended, and one that leaves, are not in the queue any more", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    const [c, d] = [await get().member("c"), await get().member("d")];
    await a.take("x");
    for (const waiter of [b, c, d]) await waiter.acquire("x", waiting());
    await b.ask("close", {});
    expect(await d.acquire("x", waiting())).toMatchObject({ ahead: 1 });
    expect(await c.release("x")).toBeUndefined();
    expect(await d.acquire("x", waiting())).toMatchObject({ ahead: 0 });
    expect(await a.release("x")).toBe(d.id);
    // Leaving passes the turn on.
    expect(await d.release("x")).toBeUndefined();
    expect(await a.acquire("x", { claim: 2 })).toMatchObject({ kind: "granted" });
  });

  test("the turn of a waiter whose session has ended goes to the next at once", async () => {
    const [a, b, c] = [await get().member("a"), await get().member("b"), await get().member("c")];
    await a.take("x");
    await b.acquire("x", waiting());
    await c.acquire("x", waiting());
    await b.ask("close", {});
    expect(await a.release("x")).toBe(c.id);
  });

  test("giving a vote back does not cost the place of one that goes on waiting", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    expect(await a.acquire("x", waiting())).toMatchObject({ kind: "granted" });
    expect(await b.acquire("x", waiting())).toMatchObject({ kind: "held", ticket: 2 });
    expect(await a.release("x", { leave: false })).toBe(a.id);
    expect(await b.acquire("x", waiting(2))).toMatchObject({ kind: "reserved", ahead: 1 });
    expect(await a.acquire("x", waiting())).toMatchObject({ kind: "granted" });
    expect(await a.release("x")).toBe(b.id);
  });
}
