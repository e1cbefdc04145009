import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sleep } from "../../../../../examples/phoenix-like-pubsub/channels/sleep.ts";

describe("a sleep", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  test("that is over leaves nothing with its signal, however many there were", async () => {
    const { signal } = new AbortController();
    for (let at = 0; at < 3; at += 1) {
      const asleep = sleep(10, signal);
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      vi.advanceTimersByTime(10);
      await asleep;
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("that is broken off leaves no timer", async () => {
    const stopping = new AbortController();
    const asleep = sleep(10, stopping.signal);
    stopping.abort();
    await asleep;
    await sleep(10, stopping.signal);
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(stopping.signal, "abort")).toEqual([]);
  });
});
