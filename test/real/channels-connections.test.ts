import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Assigns,
  type Channel,
  type ConnectRequest,
  defineSocket,
  ok,
  refuse,
} from "../../examples/phoenix-like-pubsub/channels/index.ts";
import { createPubSub } from "../../src/index.ts";
import { ChannelsStage, connectionsOf } from "../support/channels-stage.ts";
import { eventually } from "../support/eventually.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { roomChannel } from "../support/rooms.ts";

let stage: ChannelsStage;

beforeEach(async () => {
  stage = await ChannelsStage.open();
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const channels = { "room:*": roomChannel() };

async function joined(url: string, topic = "room:1"): Promise<RawSocket> {
  const client = await RawSocket.open(url);
  client.send("1", "1", topic, "phx_join", {});
  await client.take();
  return client;
}

describe("a WebSocket", () => {
  test("is refused with 403 for another version, or none", async () => {
    const { socket, url } = await stage.start({ channels });
    for (const query of ["", "?vsn=1.0.0", "?vsn=3.0.0", "?vsn=2", "?vsn=2.0.0&vsn=1.0.0"])
      await expect(RawSocket.openUrl(`${url}/websocket${query}`)).rejects.toThrow("HTTP 403");
    await (await RawSocket.openUrl(`${url}/websocket?vsn=2.1.0`))[Symbol.asyncDispose]();
    expect(socket.stats().refused).toEqual({ origin: 0, version: 5, connect: 0, full: 0 });
  });

  test("is refused with 403 for a page of another host, and taken from its own", async () => {
    const { port, url } = await stage.start({ channels });
    const from = (origin: string) => RawSocket.open(url, { headers: { origin } });
    await expect(from("https://evil.example")).rejects.toThrow("HTTP 403");
    await expect(from("null")).rejects.toThrow("HTTP 403");
    await (await from(`http://127.0.0.1:${port}`))[Symbol.asyncDispose]();
  });

  test("is refused with 403 when checkOrigin throws; so is long polling", async () => {
    const { complaints, http, url } = await stage.start({
      channels,
      checkOrigin: (origin) => new URL(origin).host === "a.example",
    });
    const headers = { origin: "null" };
    await expect(RawSocket.open(url, { headers })).rejects.toThrow("HTTP 403");
    const answer = await fetch(`${http}/longpoll?vsn=2.0.0`, { headers });
    expect(await answer.json()).toEqual({ status: 403 });
    expect(complaints).toHaveLength(2);
    await (await RawSocket.open(url, { headers: { origin: "https://a.example" } }))[Symbol.asyncDispose]();
  });

  test("that is refused is hung up on, also when its client does not hang up", async () => {
    const { port, server } = await stage.start({ channels, limits: { closeMs: 60_000 } });
    const tcp = connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true });
    tcp.write(
      "GET /socket/websocket HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    );
    const [head] = (await once(tcp, "data")) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 403 /);
    await eventually(async () => (await connectionsOf(server)) === 0);
    tcp.destroy();
  });

  test("is refused with 403 when connect refuses, throws, or takes too long", async () => {
    const { complaints, socket, url } = await stage.start({
      channels,
      limits: { connectMs: 20 },
      connect({ params }) {
        if (params["as"] === "throwing") throw new Error("no database");
        if (params["as"] === "hanging") return new Promise<never>(() => {});
        return params["as"] === "ann" ? { user: "ann" } : refuse();
      },
    });
    for (const as of ["eve", "throwing", "hanging"])
      await expect(RawSocket.openUrl(`${url}/websocket?vsn=2.0.0&as=${as}`)).rejects.toThrow("HTTP 403");
    await (await RawSocket.openUrl(`${url}/websocket?vsn=2.0.0&as=ann`))[Symbol.asyncDispose]();
    expect(socket.stats().refused.connect).toBe(3);
    expect(complaints).toEqual([
      "connect threw, and a client was refused: no database",
      "connect threw, and a client was refused: connect took longer than 20 ms",
    ]);
  });

  test("tells connect its parameters and its token; what that gives is known to its channels", async () => {
    let seen: ConnectRequest | undefined;
    const greeting: Channel<{ user: string; at?: number }> = {
      join(_payload, { assigns }) {
        assigns.at = (assigns.at ?? 0) + 1;
        return ok(assigns);
      },
    };
    const { url } = await stage.start<{ user: string; at?: number }>({
      channels: { greeting, "greeting:*": greeting },
      connect(request) {
        seen = request;
        return { user: "ann" };
      },
    });
    const token = `base64url.bearer.phx.${btoa("s3cret~~").replaceAll("=", "")}`;
    await using client = await RawSocket.open(`${url}`, { protocols: ["phoenix", token] });
    expect(client.socket.protocol).toBe("phoenix");
    expect(seen).toMatchObject({ params: {}, authToken: "s3cret~~", transport: "websocket" });
    expect(seen?.remoteAddress).toMatch(/127\.0\.0\.1$/);
    for (const [ref, topic] of [
      ["1", "greeting"],
      ["2", "greeting:2"],
    ] as const) {
      client.send(ref, ref, topic, "phx_join", {});
      const [frame] = await client.take();
      // Each has a copy.
      expect(frame).toEqual([
        ref,
        ref,
        topic,
        "phx_reply",
        { status: "ok", response: { user: "ann", at: 1 } },
      ]);
    }
  });

  test("is refused with 503 when there are as many as there may be, also while connect decides", async () => {
    const deciding: ((assigns: Assigns) => void)[] = [];
    const { socket, url } = await stage.start({
      channels,
      limits: { sockets: 2 },
      connect: () => new Promise<Assigns>((resolve) => deciding.push(resolve)),
    });
    const first = RawSocket.open(url);
    const second = RawSocket.open(url);
    await eventually(() => deciding.length === 2);
    await expect(RawSocket.open(url)).rejects.toThrow("HTTP 503");
    for (const decide of deciding) decide({});
    await (await first)[Symbol.asyncDispose]();
    await eventually(() => socket.stats().webSockets === 1);
    const third = RawSocket.open(url);
    await eventually(() => deciding.length === 3);
    deciding[2]?.({});
    for (const each of [second, third]) await (await each)[Symbol.asyncDispose]();
  });

  test("of a client that hung up while connect decided leaves nothing behind", async () => {
    const deciding: ((assigns: Assigns) => void)[] = [];
    const { port, socket, url } = await stage.start({
      channels,
      limits: { sockets: 1 },
      connect: () => new Promise<Assigns>((resolve) => deciding.push(resolve)),
    });
    const tcp = connectTcp(port, "127.0.0.1");
    tcp.write(
      "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n",
    );
    await eventually(() => deciding.length === 1);
    await new Promise((resolve) => tcp.once("close", resolve).resetAndDestroy());
    deciding[0]?.({});
    const next = RawSocket.open(url);
    await eventually(() => deciding.length === 2);
    deciding[1]?.({});
    await using client = await next;
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect(socket.stats().webSockets).toBe(1);
  });

  test.each([
    ["is no upgrade of WebSocket", "sec-websocket-version: 13\r\n\r\n"],
    [
      "is of another version of WebSocket",
      "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 1\r\n\r\n",
    ],
  ])("that %s takes nobody's place", async (_what, headers) => {
    const { port, url } = await stage.start({ channels, limits: { sockets: 1 } });
    const tcp = connectTcp(port, "127.0.0.1");
    tcp.write(
      `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n${headers}`,
    );
    const [head] = (await once(tcp, "data")) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 4\d\d /);
    tcp.destroy();
    await eventually(async () => {
      const client = await RawSocket.open(url).catch(() => undefined);
      await client?.[Symbol.asyncDispose]();
      return client !== undefined;
    });
  });

  test("for which connect decides while its node drains is refused with 503", async () => {
    const deciding: ((assigns: Assigns) => void)[] = [];
    const { socket, url } = await stage.start({
      channels,
      connect: () => new Promise<Assigns>((resolve) => deciding.push(resolve)),
    });
    const opening = RawSocket.open(url);
    await eventually(() => deciding.length === 1);
    await socket.drain();
    deciding[0]?.({});
    await expect(opening).rejects.toThrow("HTTP 503");
  });

  test("that is silent is closed; heartbeats keep it", async () => {
    const { socket, url } = await stage.start({ channels, limits: { idleMs: 1_000 } });
    await using lively = await joined(url);
    await using quiet = await joined(url);
    const beating = setInterval(() => lively.send(null, "b", "phoenix", "heartbeat", {}), 100);
    expect(await quiet.whenClosed()).toEqual({ code: 1001, reason: "idle" });
    clearInterval(beating);
    expect(lively.closed).toBeUndefined();
    expect((await lively.take())[0]).toEqual([
      null,
      "b",
      "phoenix",
      "phx_reply",
      { status: "ok", response: {} },
    ]);
    expect(socket.stats().closed.idle).toBe(1);
  });

  test.each([
    ["no JSON", "{"],
    ["no array", "{}"],
    ["an array of four", '["1","1","room:1","phx_join"]'],
    ["a topic that is no text", '["1","1",7,"phx_join",{}]'],
    ["a reference that is no text", '[1,"1","room:1","phx_join",{}]'],
    ["a reference that is too long", JSON.stringify(["1", "x".repeat(256), "room:1", "phx_join", {}])],
    ["a payload that nests too deep", `["1","1","room:1","phx_join",${"[".repeat(101)}${"]".repeat(101)}]`],
    [
      "a payload that nests very deep",
      `["1","1","room:1","phx_join",${"[".repeat(50_000)}${"]".repeat(50_000)}]`,
    ],
    ["bytes of no kind", Uint8Array.of()],
    ["bytes of another kind", Uint8Array.of(1, 0, 0, 0, 0)],
    ["bytes that end within the lengths", Uint8Array.of(0, 1, 1)],
    ["bytes that end within the header", Uint8Array.of(0, 1, 1, 9, 9, 65)],
    ["a header that is no UTF-8", Uint8Array.of(0, 0, 0, 1, 0, 255)],
  ])("that sends what is no frame is closed: %s", async (_what, frame) => {
    const { complaints, socket, url } = await stage.start({ channels });
    await using client = await joined(url);
    client.socket.send(frame);
    expect(await client.whenClosed()).toEqual({ code: 1007, reason: "malformed" });
    expect(socket.stats()).toMatchObject({ channels: 0, closed: { malformed: 1 } });
    expect(complaints).toEqual([]);
    await (await joined(url))[Symbol.asyncDispose]();
  });

  test("that sends too long a frame is closed with 1009", async () => {
    const { socket, url } = await stage.start({ channels, limits: { frameBytes: 1_000 } });
    await using client = await joined(url);
    client.send("1", "2", "room:1", "echo", { text: "x".repeat(1_000) });
    expect((await client.whenClosed()).code).toBe(1009);
    expect(socket.stats().channels).toBe(0);
  });

  test("of a client that does not read is closed, before much is kept for it", async () => {
    const { complaints, socket, url } = await stage.start({
      channels,
      limits: { outboundBytes: 100_000, closeMs: 100 },
    });
    await using client = await joined(url);
    client.socket.pause();
    const text = "x".repeat(50_000);
    await eventually(() => {
      socket.broadcast("room:1", "flood", { text });
      return socket.stats().closed.slow === 1;
    });
    await eventually(() => socket.stats().webSockets === 0);
    expect(socket.stats()).toMatchObject({ channels: 0, topics: 0 });
    expect(complaints).toEqual(["a client was closed: more waited for it than limits.outboundBytes"]);
  });

  test("whose channels have too much to do is not read until they have done half of it", async () => {
    const doing: (() => void)[] = [];
    const started: unknown[] = [];
    const slow: Channel = {
      join: () => ok(),
      handleIn(event) {
        started.push(event);
        return new Promise((resolve) => doing.push(() => resolve(ok())));
      },
    };
    const { url } = await stage.start({ channels: { slow }, limits: { inboundMessages: 4 } });
    await using client = await joined(url, "slow");
    // So that what is read at once is not all of them.
    const long = { text: "x".repeat(60_000) };
    for (let at = 1; at <= 40; at += 1) client.send("1", `${at + 1}`, "slow", `${at}`, long);
    client.send(null, "beat", "phoenix", "heartbeat", {});
    for (let at = 1; at <= 40; at += 1) {
      await eventually(() => doing.length > 0);
      doing.shift()?.();
    }
    const frames = await client.take(41);
    expect(started).toEqual(Array.from({ length: 40 }, (_, at) => `${at + 1}`));
    const answered = frames.map((frame) => (frame as readonly unknown[])[1]);
    // Read only when there was room again.
    expect(answered.indexOf("beat")).toBeGreaterThan(30);
  });

  test("ends with its node by 1012, so that the client goes elsewhere, and no channel is closed for good", async () => {
    const { node, url } = await stage.start({ channels });
    await using client = await joined(url);
    await node.stop();
    expect(await client.whenClosed()).toEqual({ code: 1012, reason: "restart" });
    expect(client.frames).toEqual([]);
    await expect(RawSocket.open(url)).rejects.toThrow();
  });
});

describe("sockets", () => {
  test("of one id are disconnected on all nodes, others are not", async () => {
    const options = {
      channels,
      connect: ({ params }: ConnectRequest) => ({ user: String(params["user"]) }),
      id: ({ user }: { user: string }) => `user:${user}`,
    };
    const first = await stage.start(options);
    const second = await stage.start(options);
    const open = (url: string, user: string) => RawSocket.openUrl(`${url}/websocket?vsn=2.0.0&user=${user}`);
    await using here = await open(first.url, "ann");
    await using there = await open(second.url, "ann");
    await using bob = await open(second.url, "bob");
    await first.node.settled();
    await second.node.settled();
    first.socket.disconnect("user:ann");
    expect(await here.whenClosed()).toEqual({ code: 1001, reason: "disconnected" });
    expect(await there.whenClosed()).toEqual({ code: 1001, reason: "disconnected" });
    expect(await bob.quiet()).toEqual([]);
    expect(second.socket.stats().closed.disconnected).toBe(1);
  });

  test("are drained batch by batch, and no new ones are taken", async () => {
    const { http, socket, url } = await stage.start({ channels });
    const clients = [await joined(url), await joined(url), await joined(url)];
    const [, , last] = clients;
    const first = socket.drain({ batch: 2, everyMs: 60_000 });
    for (const client of clients.slice(0, 2))
      expect(await client.whenClosed()).toEqual({ code: 1012, reason: "restart" });
    expect(await last?.quiet()).toEqual([]);
    await socket.drain();
    expect(await last?.whenClosed()).toEqual({ code: 1012, reason: "restart" });
    await expect(RawSocket.open(url)).rejects.toThrow("HTTP 503");
    const answer = await fetch(`${http}/longpoll?vsn=2.0.0`);
    expect(await answer.json()).toEqual({ status: 500 });
    await socket.stop();
    await first;
  });

  test("are drained when their channels have ended, those of the last batch too", async () => {
    const going: (() => void)[] = [];
    const slow: Channel = {
      join: () => ok(),
      terminate: () => new Promise((resolve) => going.push(resolve)),
    };
    const { socket, url } = await stage.start({ channels: { slow }, limits: { closeMs: 600_000 } });
    const clients = [await joined(url, "slow"), await joined(url, "slow")];
    let isDrained = false;
    const draining = socket.drain({ batch: 1, everyMs: 1 }).then(() => {
      isDrained = true;
    });
    for (const client of clients) await client.whenClosed();
    going.shift()?.();
    await eventually(() => socket.stats().channels === 1);
    expect(isDrained).toBe(false);
    going.shift()?.();
    await draining;
    expect(socket.stats().channels).toBe(0);
  });

  test("are disconnected by nothing but an id, whatever else is said to all nodes", async () => {
    const { complaints, node, socket, url } = await stage.start({ channels, id: () => "user:ann" });
    const control = createPubSub(node, { name: "channels-control" });
    await using client = await joined(url);
    for (const message of [null, undefined, "user:ann", {}, { id: null }])
      control.broadcast("disconnects", message);
    expect(await client.quiet()).toEqual([]);
    expect(complaints).toEqual([]);
    socket.disconnect("user:ann");
    expect((await client.whenClosed()).code).toBe(1001);
  });

  test("on one server outlast first lines of any kind", async () => {
    const { port, url } = await stage.start({ channels });
    for (const target of [
      "/\\a:99999/",
      "//a:99999/",
      "/socket/longpoll?vsn=%&token=%ff&[=&a[[b]]=1",
      "/%",
    ]) {
      for (const upgrade of ["", "upgrade: websocket\r\nconnection: upgrade\r\n"]) {
        const tcp = connectTcp(port, "127.0.0.1");
        tcp.end(`GET ${target} HTTP/1.1\r\nhost: a\r\n${upgrade}\r\n`);
        await once(
          tcp.resume().on("error", () => {}),
          "close",
        );
      }
    }
    await (await joined(url))[Symbol.asyncDispose]();
  });

  test("on one server leave other paths to others", async () => {
    const { port, server, socket, url } = await stage.start({ channels });
    expect(await (await fetch(`http://127.0.0.1:${port}/page`)).text()).toBe("not here");
    await expect(RawSocket.openUrl(`ws://127.0.0.1:${port}/other?vsn=2.0.0`)).rejects.toThrow(
      "socket hang up",
    );
    await (await joined(url))[Symbol.asyncDispose]();
    await socket.stop();
    await socket.stop();
    expect(server.listenerCount("upgrade")).toBe(0);
    const answer = await fetch(`http://127.0.0.1:${port}/socket/longpoll?vsn=2.0.0`);
    expect(await answer.text()).toBe("not here");
  });

  test("that share a server hang up on what is for none of them, as long as nobody else may want it", async () => {
    const { node, port, server, socket, url } = await stage.start({ channels });
    const other = defineSocket({ node, path: "/other", name: "other", channels });
    other.attach(server);
    const elsewhere = () => RawSocket.openUrl(`ws://127.0.0.1:${port}/nobody?vsn=2.0.0`);
    await (await joined(url))[Symbol.asyncDispose]();
    await (await joined(`ws://127.0.0.1:${port}/other`))[Symbol.asyncDispose]();
    await expect(elsewhere()).rejects.toThrow("socket hang up");
    await socket.stop();
    await (await joined(`ws://127.0.0.1:${port}/other`))[Symbol.asyncDispose]();
    await expect(RawSocket.open(url)).rejects.toThrow("socket hang up");
    server.on("upgrade", (request, tcp) => {
      if (request.url?.startsWith("/nobody") === true) tcp.end("HTTP/1.1 418 Teapot\r\n\r\n");
    });
    await expect(elsewhere()).rejects.toThrow("HTTP 418");
    await other.stop();
    expect(server.listenerCount("upgrade")).toBe(1);
  });
});
