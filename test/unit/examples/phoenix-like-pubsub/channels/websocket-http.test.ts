import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Clients } from "../../../../../examples/phoenix-like-pubsub/channels/clients.ts";
import { DEFAULT_LIMITS } from "../../../../../examples/phoenix-like-pubsub/channels/limits.ts";
import { WebSocketHttp } from "../../../../../examples/phoenix-like-pubsub/channels/websocket-http.ts";

describe("a WebSocket that is refused", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const clients = { isFromAllowed: () => false } as unknown as Clients;
  const request = { headers: {} } as IncomingMessage;

  function refuse(socket: Duplex): void {
    const http = new WebSocketHttp(clients, { ...DEFAULT_LIMITS, closeMs: 100 });
    http.handle(request, socket, Buffer.alloc(0), new URLSearchParams());
  }

  test("by a peer that reads nothing is hung up on in time", () => {
    const written: string[] = [];
    const socket = new Duplex({
      read() {},
      // Nobody takes it.
      write: (chunk: Buffer) => void written.push(chunk.toString()),
    });
    refuse(socket);
    expect(written).toEqual([expect.stringMatching(/^HTTP\/1\.1 403 /)]);
    vi.advanceTimersByTime(99);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(socket.destroyed).toBe(true);
  });

  test("leaves no timer behind once it is hung up on", async () => {
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    refuse(socket);
    await closed;
    expect(vi.getTimerCount()).toBe(0);
  });
});
