import { EventEmitter, getEventListeners } from "node:events";
import type { IncomingMessage } from "node:http";
import { beforeEach, describe, expect, test } from "vitest";
import { Bodies, type Body } from "../../../../../examples/phoenix-like-pubsub/channels/longpoll-body.ts";

describe("bodies of requests", () => {
  let bodies: Bodies;
  let ending: AbortController;

  beforeEach(() => {
    bodies = new Bodies({ batchBytes: 10, batchesBytes: 15, sockets: 16 });
    ending = new AbortController();
  });

  /** A request whose body is in the test's hands, and what comes of it. */
  function receive(use: (body: Body) => Promise<Body> = (body) => Promise.resolve(body)) {
    const request = new EventEmitter();
    const body = bodies.receive(request as IncomingMessage, ending.signal, use);
    const send = (text: string) => request.emit("data", Buffer.from(text));
    return { body, request, send, end: () => request.emit("end") };
  }

  test("are whole when they have ended, and take room until they are dealt with", async () => {
    let done: (body: Body) => void = () => {};
    const { body, end, send } = receive((whole) => new Promise((resolve) => (done = () => resolve(whole))));
    send("ä");
    send("bc");
    end();
    expect(bodies.bytes).toBe(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(bodies.bytes).toBe(4);
    done({ kind: "abandoned" });
    expect(await body).toEqual({ kind: "whole", text: "äbc" });
    expect(bodies.bytes).toBe(0);
  });

  test("are copied as they come: of what came in small parts nothing else is kept", async () => {
    const { body, end, request } = receive();
    const parts = [..."äbcdefgh"].map((text) => Buffer.from(text));
    for (const part of parts) request.emit("data", part);
    for (const part of parts) part.fill("?");
    end();
    expect(await body).toEqual({ kind: "whole", text: "äbcdefgh" });
  });

  test("are too long as soon as more has come than one may have, and are kept no longer", async () => {
    const { body, request, send } = receive();
    send("12345");
    send("678901");
    expect(await body).toEqual({ kind: "tooLong" });
    expect(request.eventNames()).toEqual([]);
    expect(bodies.bytes).toBe(0);
  });

  test("find no room when all together have more than they may, and leave room when they go", async () => {
    const first = receive();
    first.send("12345678");
    const second = receive();
    second.send("1234567");
    expect(bodies.bytes).toBe(15);
    second.send("8");
    expect(await second.body).toEqual({ kind: "noRoom" });
    expect(bodies.bytes).toBe(8);
    const third = receive();
    third.send("1234567");
    third.end();
    expect(await third.body).toEqual({ kind: "whole", text: "1234567" });
    first.end();
    expect(await first.body).toEqual({ kind: "whole", text: "12345678" });
    expect(bodies.bytes).toBe(0);
  });

  test("have a share of their own each, so that small ones find room whatever the others take", async () => {
    bodies = new Bodies({ batchBytes: 20, batchesBytes: 15, sockets: 5 });
    const long = [receive(), receive()];
    for (const { send } of long) send("12345678");
    expect(bodies.bytes).toBe(10);
    const full = receive();
    full.send("123");
    full.send("456789");
    expect(await full.body).toEqual({ kind: "noRoom" });
    // What is past the share of one is weighed with that of all others.
    long[0]?.send("12345");
    expect(bodies.bytes).toBe(15);
    for (const _ of Array.from({ length: 4 })) {
      const small = receive();
      small.send("1");
      small.send("23");
      small.end();
      expect(await small.body).toEqual({ kind: "whole", text: "123" });
    }
    for (const { end } of long) end();
    await Promise.all(long.map(({ body }) => body));
    expect(bodies.bytes).toBe(0);
  });

  test("are abandoned when they are cut off, or nobody waits for them any more", async () => {
    const cut = receive();
    cut.send("1");
    cut.request.emit("close");
    expect(await cut.body).toEqual({ kind: "abandoned" });
    const unwanted = receive();
    unwanted.send("1");
    ending.abort();
    expect(await unwanted.body).toEqual({ kind: "abandoned" });
    expect(await receive().body).toEqual({ kind: "abandoned" });
    expect(bodies.bytes).toBe(0);
    expect(getEventListeners(ending.signal, "abort")).toEqual([]);
  });

  test("leave their room also when what is done with them fails", async () => {
    const { body, end, send } = receive(() => Promise.reject(new Error("on purpose")));
    send("1");
    end();
    await expect(body).rejects.toThrow("on purpose");
    expect(bodies.bytes).toBe(0);
  });
});
