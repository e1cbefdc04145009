import type { Duplex } from "node:stream";
import { LongPoll } from "phoenix";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Channel, ok } from "../../examples/phoenix-like-pubsub/channels/index.ts";
import { ChannelsStage } from "../support/channels-stage.ts";
import { eventually } from "../support/eventually.ts";
import { NodeProcess } from "../support/node-process.ts";
import { PhoenixClient, type PhoenixTransport, PresenceView } from "../support/phoenix-client.ts";
import { lobbyChannel, roomChannel } from "../support/rooms.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const channels = { "room:*": roomChannel(), lobby: lobbyChannel };

let stage: ChannelsStage;

beforeEach(async () => {
  stage = await ChannelsStage.open();
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

/** What a page has: texts by keys. */
function memoryStorage(): { readonly kept: Map<string, string>; getItem(key: string): string | null } {
  const kept = new Map<string, string>();
  return Object.assign(
    { setItem: (key: string, value: string) => kept.set(key, value) },
    { kept, getItem: (key: string) => kept.get(key) ?? null },
  );
}

describe("the npm client", () => {
  test("keeps a connection by its heartbeats, for longer than a quiet one may last", async () => {
    const { url } = await stage.start({ channels, limits: { idleMs: 1_000 } });
    using client = new PhoenixClient(url, "websocket", { heartbeatIntervalMs: 100 });
    let beats = 0;
    client.socket.onMessage((message) => {
      if ((message as { readonly topic: string }).topic === "phoenix") beats += 1;
    });
    await client.join("room:1");
    await eventually(() => beats > 15);
    expect([client.opened, client.closed]).toEqual([1, []]);
  });

  test("connects and joins again when heartbeats are not answered", async () => {
    const { port, socket } = await stage.start({ channels });
    await using proxy = await TcpProxy.start(port);
    using client = new PhoenixClient(`ws://127.0.0.1:${proxy.port}/socket`, "websocket", {
      heartbeatIntervalMs: 100,
    });
    const ann = await client.join("room:1");
    proxy.stallOpen();
    await eventually(() => ann.joins === 2);
    expect(await ann.push("echo", { again: true })).toEqual({ status: "ok", response: { again: true } });
    proxy.heal();
    await eventually(() => socket.stats().channels === 1);
  });

  test("falls back to long polling where WebSockets do not get through, and remembers it", async () => {
    const { server, socket, url } = await stage.start({ channels });
    server.removeAllListeners("upgrade");
    const sessionStorage = memoryStorage();
    const options = { longPollFallbackMs: 2_000, sessionStorage };
    using client = new PhoenixClient(url, "websocket", options);
    const ann = await client.join("room:1");
    expect(await ann.push("echo", { n: 1 })).toEqual({ status: "ok", response: { n: 1 } });
    expect(socket.stats()).toMatchObject({ webSockets: 0, longPolls: 1 });
    expect([...sessionStorage.kept]).toEqual([["phx:fallback:LongPoll", "true"]]);
    using next = new PhoenixClient(url, "websocket", options);
    await next.join("room:1");
    expect(next.socket["transport" as keyof typeof next.socket]).toBe(LongPoll);
  });

  test("falls back when a WebSocket does not open in time", async () => {
    const { server, socket, url } = await stage.start({ channels });
    const unanswered: Duplex[] = [];
    server.removeAllListeners("upgrade").on("upgrade", (_request, tcp: Duplex) => {
      unanswered.push(tcp.on("error", () => {}));
    });
    using client = new PhoenixClient(url, "websocket", {
      longPollFallbackMs: 100,
      sessionStorage: memoryStorage(),
    });
    await client.join("room:1");
    expect(socket.stats()).toMatchObject({ webSockets: 0, longPolls: 1 });
    expect(unanswered).toHaveLength(1);
    for (const tcp of unanswered) tcp.destroy();
  });

  test("pushes bytes, is answered bytes, and hears bytes from the other node", async () => {
    const [here, there] = [await stage.start({ channels }), await stage.start({ channels })];
    using annClient = new PhoenixClient(here.url, "websocket");
    using bobClient = new PhoenixClient(there.url, "websocket");
    const ann = await annClient.join("room:1");
    const bob = await bobClient.join("room:1");
    const bytes = Uint8Array.of(0, 1, 255).buffer;
    expect(await ann.push("echo", bytes)).toEqual({ status: "ok", response: bytes });
    ann.channel.push("pushBack", bytes);
    await ann.push("shout", bytes);
    expect(ann.events).toEqual([
      { event: "pushed", payload: bytes },
      { event: "shouted", payload: bytes },
    ]);
    await eventually(() => bob.events.length === 1);
    expect(bob.events).toEqual([{ event: "shouted", payload: bytes }]);
  });

  test("pushes bytes by long polling, and is told that it cannot be given any", async () => {
    const { url } = await stage.start({ channels });
    using client = new PhoenixClient(url, "longpoll");
    const ann = await client.join("room:1");
    expect(await ann.push("echo", Uint8Array.of(7).buffer)).toEqual({
      status: "error",
      response: { reason: "bytes cannot be sent by long polling" },
    });
  });

  test("sends its token, by either transport", async () => {
    const seen: unknown[] = [];
    const { url } = await stage.start({
      channels,
      connect({ authToken, params, transport }) {
        seen.push({ authToken, params, transport });
        return {};
      },
    });
    const options = { authToken: "s3cret", params: { user: { id: 7 }, token: "own" } };
    for (const transport of ["websocket", "longpoll"] as const) {
      using client = new PhoenixClient(url, transport, options);
      await client.join("room:1");
    }
    const expected = { authToken: "s3cret", params: { user: { id: "7" }, token: "own" } };
    expect(seen).toEqual([
      { ...expected, transport: "websocket" },
      { ...expected, transport: "longpoll" },
    ]);
  });

  test("joins again after a join that took too long, and is in it once", async () => {
    const joining: (() => void)[] = [];
    const slow: Channel = {
      join: () => new Promise((resolve) => joining.push(() => resolve(ok()))),
      handleIn: (_event, payload) => ok(payload),
    };
    const { socket, url } = await stage.start({ channels: { slow }, limits: { closeMs: 100 } });
    using client = new PhoenixClient(url, "websocket", { timeout: 150 });
    const joined = client.join("slow");
    await eventually(() => joining.length === 2);
    joining[1]?.();
    const ann = await joined;
    joining[0]?.();
    expect(await ann.push("x", { n: 1 })).toEqual({ status: "ok", response: { n: 1 } });
    expect(socket.stats().channels).toBe(1);
  });
});

describe.each<PhoenixTransport>(["websocket", "longpoll"])("the npm client, by %s", (transport) => {
  test("joins again on another node when its own is drained", async () => {
    const leaving = await stage.start({ channels });
    const staying = await stage.start({ channels });
    const proxy = await TcpProxy.start(leaving.port);
    using client = new PhoenixClient(`ws://127.0.0.1:${proxy.port}/socket`, transport);
    const ann = await client.join("room:1");
    await leaving.socket.drain();
    await eventually(() => leaving.socket.stats().channels === 0);
    await using _next = await moved(proxy, staying.port);
    await eventually(() => ann.joins === 2);
    expect(await ann.push("echo", { moved: true })).toEqual({ status: "ok", response: { moved: true } });
    expect(ann.closes).toBe(0);
  });

  test("joins again on another node when its own is killed, and all see the same who is there", async () => {
    const staying = await stage.start({ channels, limits: { pollMs: 1_500 } });
    const script = new URL("../support/channels-server.ts", import.meta.url);
    await using doomed = new NodeProcess("doomed", script, [String(stage.busPort), "doomed"]);
    const { port } = await doomed.saw("serving", {}, 20_000);
    const proxy = await TcpProxy.start(Number(port));
    using annClient = new PhoenixClient(`ws://127.0.0.1:${proxy.port}/socket`, transport);
    using bobClient = new PhoenixClient(staying.url, transport);
    const ann = annClient.socket.channel("lobby", { key: "ann", as: "on" });
    const annSees = new PresenceView(ann);
    const bob = bobClient.socket.channel("lobby", { key: "bob", as: "on" });
    const bobSees = new PresenceView(bob);
    const room = await annClient.join("room:1");
    ann.join();
    bob.join();
    const both = { ann: ["on"], bob: ["on"] };
    const agree = (): boolean =>
      [annSees, bobSees].every(({ shown }) => JSON.stringify(sorted(shown)) === JSON.stringify(both));
    await eventually(agree);

    doomed.signal("SIGKILL");
    await using _next = await moved(proxy, staying.port);
    await eventually(() => room.joins === 2, { withinMs: 20_000 });
    await eventually(() => bobSees.log.some((line) => line.startsWith("ann left")), { withinMs: 20_000 });
    await eventually(agree, { withinMs: 20_000, what: () => JSON.stringify([annSees.shown, bobSees.shown]) });
    expect(staying.socket.presence.list("lobby")["ann"]?.metas).toHaveLength(1);
    expect(await room.push("echo", { alive: true })).toEqual({ status: "ok", response: { alive: true } });
  });
});

/** As a load balancer does it, once a server is gone: the same address, another server. */
async function moved(proxy: TcpProxy, to: number): Promise<TcpProxy> {
  const { port } = proxy;
  await proxy[Symbol.asyncDispose]();
  return TcpProxy.start(to, port);
}

function sorted(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort());
}
