import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Connection } from "../../../../../examples/phoenix-like-pubsub/channels/connection.ts";
import { DEFAULT_LIMITS } from "../../../../../examples/phoenix-like-pubsub/channels/limits.ts";
import { LongPollTransport } from "../../../../../examples/phoenix-like-pubsub/channels/longpoll.ts";

describe("a session of long polling", () => {
  const ended: string[] = [];

  beforeEach(() => {
    ended.length = 0;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  function open(connection: Pick<Connection, "isBusy" | "receive" | "closed">): LongPollTransport {
    const transport = new LongPollTransport({ ...DEFAULT_LIMITS, pollMs: 1_000 }, (cause) =>
      ended.push(cause),
    );
    transport.serve(connection as Connection);
    return transport;
  }

  const never = (): AbortSignal => new AbortController().signal;
  const idle = { isBusy: false, receive: () => true, closed: () => void ended.push("closed") };

  test("ends when nothing is heard of its client for one and a half polls; a batch is something", async () => {
    const transport = open(idle);
    vi.advanceTimersByTime(1_499);
    expect(await transport.take([])).toBe(200);
    vi.advanceTimersByTime(1_499);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ended).toEqual(["idle", "closed"]);
    expect(await transport.poll(never())).toEqual({ status: 410, messages: [] });
    expect(await transport.take(["[]"])).toBe(410);
  });

  test("lasts while its client polls, however long nothing happens", async () => {
    const transport = open(idle);
    for (let polls = 0; polls < 5; polls += 1) {
      const poll = transport.poll(never());
      vi.advanceTimersByTime(1_000);
      expect(await poll).toEqual({ status: 204, messages: [] });
    }
    expect(ended).toEqual([]);
  });

  test("takes the rest of a batch as soon as there is room", async () => {
    const received: unknown[] = [];
    const connection = {
      isBusy: true,
      receive: (frame: unknown) => received.push(frame) > 0,
      closed: () => {},
    };
    const transport = open(connection);
    const taken = transport.take(["a", "b"]);
    vi.advanceTimersByTime(900);
    expect(received).toEqual([]);
    connection.isBusy = false;
    transport.resume();
    expect(await taken).toBe(200);
    expect(received).toEqual(["a", "b"]);
  });

  test("that is over does not let a batch wait for room", async () => {
    const received: unknown[] = [];
    const connection = {
      isBusy: true,
      receive: (frame: unknown) => received.push(frame) > 0,
      closed: () => {},
    };
    const transport = open(connection);
    const taken = transport.take(["a"]);
    transport.close("disconnected");
    // No time has passed.
    expect(await taken).toBe(410);
    expect(received).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(transport.ended.aborted).toBe(true);
  });
});
