import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import type { Connection } from "../../../../../examples/phoenix-like-pubsub/channels/connection.ts";
import { DEFAULT_LIMITS } from "../../../../../examples/phoenix-like-pubsub/channels/limits.ts";
import { WebSocketTransport } from "../../../../../examples/phoenix-like-pubsub/channels/websocket.ts";

/** As much of a WebSocket as its transport sees: whoever is on the other side says goodbye, which is seen only if it is read. */
class FakeSocket extends EventEmitter {
  bufferedAmount = 0;
  isPaused = false;
  isTerminated = false;
  code: number | undefined;

  send(): void {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code: number): void {
    this.code = code;
    queueMicrotask(() => {
      if (!this.isPaused) this.emit("close", code, "");
    });
  }

  terminate(): void {
    this.isTerminated = true;
    this.emit("close", 1006, "");
  }
}

describe("a WebSocket's transport", () => {
  let socket: FakeSocket;
  let transport: WebSocketTransport;
  const log: string[] = [];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    log.length = 0;
    socket = new FakeSocket();
    const limits = { ...DEFAULT_LIMITS, idleMs: 1_000, closeMs: 100 };
    transport = new WebSocketTransport(socket as unknown as WebSocket, limits, (cause) => log.push(cause));
    transport.serve({ receive: () => true, closed: () => void log.push("closed") } as unknown as Connection);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  test("closes one that is silent", () => {
    vi.advanceTimersByTime(999);
    expect(log).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(log[0]).toBe("idle");
    expect(socket.code).toBe(1001);
  });

  test("takes nobody for silent whom it does not read, and waits as long again when it does", () => {
    transport.pause();
    vi.advanceTimersByTime(10_500);
    expect(log).toEqual([]);
    transport.resume();
    vi.advanceTimersByTime(999);
    expect(log).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(log[0]).toBe("idle");
  });

  test("reads on when it closes one that it did not read, to see the goodbye", async () => {
    transport.pause();
    transport.close("restart");
    expect(socket).toMatchObject({ code: 1012, isPaused: false, isTerminated: false });
    await Promise.resolve();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("does not wait for a goodbye for ever, nor do the channels at all", () => {
    socket.close = () => {};
    transport.close("restart");
    expect(log).toEqual(["restart", "closed"]);
    vi.advanceTimersByTime(99);
    expect(socket.isTerminated).toBe(false);
    vi.advanceTimersByTime(1);
    expect(socket.isTerminated).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
