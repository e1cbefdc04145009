import type { IncomingMessage } from "node:http";
import { beforeEach, describe, expect, test } from "vitest";
import { Clients } from "../../../../../examples/phoenix-like-pubsub/channels/clients.ts";
import { DEFAULT_LIMITS } from "../../../../../examples/phoenix-like-pubsub/channels/limits.ts";
import { LongPollTransport } from "../../../../../examples/phoenix-like-pubsub/channels/longpoll.ts";
import { servicesOf } from "../../../../support/channels-connection.ts";
import { loggerTo } from "../../../../support/channels-stage.ts";
import { Shells } from "../../../../support/shells.ts";

describe("a client that was let in right before its node leaves", () => {
  let clients: Clients;

  beforeEach(async () => {
    const services = servicesOf(await new Shells("clients").start("a"), {});
    clients = new Clients({
      connect: undefined,
      id: undefined,
      checkOrigin: () => true,
      services,
      logger: loggerTo([]),
    });
  });

  async function admit() {
    const request = { headers: {}, socket: {} } as IncomingMessage;
    const admission = await clients.admit(request, {
      params: {},
      authToken: undefined,
      transport: "longpoll",
    });
    if (admission.kind !== "admitted") throw new Error(`it was not let in, but ${admission.kind}`);
    return admission;
  }

  test("is sent elsewhere at once, and nobody waits for it", async () => {
    // 1. connect lets it in; 2. the node leaves, and closes all that are open; 3. this one is opened.
    const admission = await admit();
    clients.leave();
    const causes: string[] = [];
    const transport = new LongPollTransport(DEFAULT_LIMITS, (cause) => causes.push(cause));
    admission.open(transport);
    expect(causes).toEqual(["restart"]);
    expect(await transport.poll(new AbortController().signal)).toEqual({ status: 410, messages: [] });
    await clients.ended();
    expect(clients.connections).toEqual([]);
  });

  test("is served as long as the node stays", async () => {
    const admission = await admit();
    const causes: string[] = [];
    const transport = new LongPollTransport(DEFAULT_LIMITS, (cause) => causes.push(cause));
    admission.open(transport);
    expect(clients.connections).toHaveLength(1);
    expect(await transport.take(['[null,"1","phoenix","heartbeat",{}]'])).toBe(200);
    expect((await transport.poll(new AbortController().signal)).messages).toHaveLength(1);
    expect(causes).toEqual([]);
    clients.connections[0]?.close("restart");
    await clients.ended();
  });
});
