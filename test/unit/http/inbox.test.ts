import { describe, expect, test } from "vitest";
import { Inbox } from "../../../src/http/inbox.ts";

const LIMITS = { inboxEvents: 3, inboxBytes: 1_000, essentialEvents: 5 };

function told(inbox: Inbox, after: number): readonly unknown[] {
  return inbox.takeAfter(after).map(({ text }) => JSON.parse(text));
}

describe("what waits for a session's client", () => {
  test("comes in order, numbered from 1, and is there again for whoever says that they did not get it", () => {
    const inbox = new Inbox(LIMITS);
    inbox.push("message", { message: "a" }, "droppable");
    inbox.push("message", { message: "b" }, "droppable");
    const both = [
      { id: 1, kind: "message", message: "a" },
      { id: 2, kind: "message", message: "b" },
    ];
    expect(told(inbox, 0)).toEqual(both);
    expect(told(inbox, 0)).toEqual(both);
    expect(told(inbox, 1)).toEqual(both.slice(1));
    expect(told(inbox, 2)).toEqual([]);
  });

  test("what the client has is forgotten", () => {
    const inbox = new Inbox(LIMITS);
    inbox.push("message", {}, "droppable");
    inbox.push("message", {}, "droppable");
    inbox.acknowledge(1);
    expect(told(inbox, 0)).toMatchObject([{ id: 2 }]);
    inbox.acknowledge(99);
    expect(inbox.waiting).toBe(0);
    inbox.push("message", {}, "droppable");
    expect(told(inbox, 2)).toMatchObject([{ id: 3 }]);
  });

  test("without room a message is left out, and the next one that finds room says how many were", () => {
    const inbox = new Inbox(LIMITS);
    for (const message of ["a", "b", "c", "d", "e"]) inbox.push("message", { message }, "droppable", 0);
    expect(told(inbox, 0)).toMatchObject([{ message: "a" }, { message: "b" }, { message: "c" }]);
    inbox.push("message", { message: "f" }, "droppable", 10);
    expect(told(inbox, 3)).toEqual([{ id: 4, kind: "message", message: "f", missed: 12 }]);
    inbox.push("message", { message: "g" }, "droppable");
    expect(told(inbox, 4)).toEqual([{ id: 5, kind: "message", message: "g" }]);
  });

  test("what was given makes room for what comes, the oldest first", () => {
    const inbox = new Inbox(LIMITS);
    for (const message of ["a", "b", "c"]) inbox.push("message", { message }, "droppable");
    inbox.takeAfter(0);
    inbox.push("message", { message: "d" }, "droppable");
    expect(told(inbox, 0)).toMatchObject([{ id: 2 }, { id: 3 }, { id: 4 }]);
  });

  test("room is counted in bytes as well", () => {
    const inbox = new Inbox(LIMITS);
    expect(inbox.push("message", { message: "x".repeat(900) }, "droppable")).toBe(true);
    expect(inbox.push("message", { message: "x".repeat(900) }, "droppable")).toBe(false);
    inbox.takeAfter(0);
    expect(inbox.push("message", { message: "y".repeat(900) }, "droppable")).toBe(true);
    expect(told(inbox, 0)).toMatchObject([{ id: 2, missed: 1 }]);
  });

  test("when far too much waits even what the session lost finds no room, and that is told", () => {
    const inbox = new Inbox(LIMITS);
    const pushed = Array.from({ length: 7 }, () => inbox.push("down", {}, "essential"));
    expect(pushed).toEqual([true, true, true, true, true, false, false]);
  });

  test("however much is acknowledged at once, what is left is not moved about for each", () => {
    const inbox = new Inbox({ ...LIMITS, essentialEvents: 300_000 });
    for (let count = 0; count < 300_000; count += 1) inbox.push("down", {}, "essential");
    inbox.acknowledge(299_999);
    expect(told(inbox, 0)).toEqual([{ id: 300_000, kind: "down" }]);
  });

  test("what the session lost is never left out", () => {
    const inbox = new Inbox(LIMITS);
    for (let count = 0; count < 10; count += 1) inbox.push("message", {}, "droppable");
    expect(inbox.push("leaseLost", { name: "x" }, "essential")).toBe(true);
    expect(told(inbox, 3)).toEqual([{ id: 4, kind: "leaseLost", name: "x", missed: 7 }]);
  });

  test("only what nobody was given is waiting", () => {
    const inbox = new Inbox(LIMITS);
    inbox.push("message", {}, "droppable");
    expect(inbox.waiting).toBe(1);
    inbox.takeAfter(0);
    expect(inbox.waiting).toBe(0);
    expect(inbox.unread).toBe(1);
  });
});
