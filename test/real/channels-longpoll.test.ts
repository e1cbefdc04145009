import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Channel,
  type ConnectRequest,
  ok,
  refuse,
} from "../../examples/phoenix-like-pubsub/channels/index.ts";
import { ChannelsStage } from "../support/channels-stage.ts";
import { eventually } from "../support/eventually.ts";
import { RawPoller } from "../support/raw-poller.ts";
import { roomChannel } from "../support/rooms.ts";

const OK = (response: unknown = {}) => ({ status: "ok", response });
const ERROR = (reason: string) => ({ status: "error", response: { reason } });
const channels = { "room:*": roomChannel() };

let stage: ChannelsStage;

beforeEach(async () => {
  stage = await ChannelsStage.open();
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

describe("long polling", () => {
  test("joins, pushes, hears broadcasts, leaves", async () => {
    const { http, socket } = await stage.start({ channels });
    const client = new RawPoller(http);
    expect(await client.begin()).toEqual({
      status: 410,
      token: expect.stringMatching(/^phx-poll\.[\w-]{43}$/),
      messages: [],
    });
    expect(
      await client.post(["1", "1", "room:1", "phx_join", {}], ["1", "2", "room:1", "echo", { a: 1 }]),
    ).toEqual({ status: 200 });
    expect(await client.take()).toEqual([
      ["1", "1", "room:1", "phx_reply", OK({ joined: "room:1" })],
      ["1", "2", "room:1", "phx_reply", OK({ a: 1 })],
    ]);
    const waiting = client.take();
    socket.broadcast("room:1", "said", { n: 1 });
    expect(await waiting).toEqual([[null, null, "room:1", "said", { n: 1 }]]);
    await client.post(["1", "3", "room:1", "phx_leave", {}]);
    expect(await client.take()).toEqual([
      ["1", "3", "room:1", "phx_reply", OK()],
      ["1", "1", "room:1", "phx_close", {}],
    ]);
  });

  test("answers 204 when nothing happens for as long as a poll waits", async () => {
    const { http } = await stage.start({ channels, limits: { pollMs: 300 } });
    const client = await RawPoller.open(http);
    expect(await client.poll()).toEqual({ status: 204, token: client.token, messages: [] });
  });

  test("answers 200 to a batch in which a join is refused", async () => {
    const { http } = await stage.start({ channels });
    const client = await RawPoller.open(http);
    expect(await client.post(["1", "1", "room:1", "phx_join", { refused: "no" }])).toEqual({ status: 200 });
    expect(await client.take()).toEqual([["1", "1", "room:1", "phx_reply", ERROR("no")]]);
  });

  test("takes 100 lines of a batch of 101", async () => {
    const { http } = await stage.start({ channels });
    const client = await RawPoller.open(http);
    await client.post(["1", "1", "room:1", "phx_join", {}]);
    await client.take();
    const events = Array.from({ length: 101 }, (_, at) => ["1", `e${at + 1}`, "room:1", "echo", {}]);
    expect(await client.post(...events)).toEqual({ status: 200 });
    const answered = (await client.take()).map((frame) => (frame as readonly unknown[])[1]);
    expect(answered).toEqual(events.slice(0, 100).map(([, ref]) => ref));
  });

  test("takes bytes in base64, gives none, and says so to who asks", async () => {
    const { http, socket } = await stage.start({ channels });
    const client = await RawPoller.open(http);
    const push = (ref: string, event: string) =>
      Buffer.concat([
        Uint8Array.of(0, 1, ref.length, 6, event.length),
        Buffer.from(`1${ref}room:1${event}`),
        Uint8Array.of(7),
      ]);
    await client.post(["1", "1", "room:1", "phx_join", {}], push("2", "pushBack"), push("3", "echo"));
    expect(await client.take()).toEqual([
      ["1", "1", "room:1", "phx_reply", OK({ joined: "room:1" })],
      ["1", "3", "room:1", "phx_reply", ERROR("bytes cannot be sent by long polling")],
    ]);
    expect(socket.stats().binaryDropped).toBe(2);
  });

  test("takes one frame as JSON, as older clients send it", async () => {
    const { http } = await stage.start({ channels });
    const client = await RawPoller.open(http);
    const body = JSON.stringify(["1", "1", "room:1", "phx_join", {}]);
    expect(await client.postText(body, "application/json")).toEqual({ status: 200 });
    expect(await client.take()).toHaveLength(1);
  });

  test("ends a session that was left, and its channels: 410", async () => {
    const ended: string[] = [];
    const { http, socket } = await stage.start({
      channels: { "room:*": roomChannel({ ended, processes: new Map() }) },
      limits: { pollMs: 300 },
    });
    const client = await RawPoller.open(http);
    await client.post(["1", "1", "room:1", "phx_join", {}]);
    await eventually(() => socket.stats().longPolls === 0);
    expect(ended).toEqual(["room:1 closed"]);
    expect(await client.poll()).toEqual({ status: 410, token: null, messages: [] });
    expect(await client.post(["1", "2", "room:1", "echo", {}])).toEqual({ status: 410 });
    expect(socket.stats()).toMatchObject({ channels: 0, longPolls: 0 });
  });

  test("knows no session of another node, nor one that never was", async () => {
    const first = await stage.start({ channels });
    const second = await stage.start({ channels });
    const client = await RawPoller.open(first.http);
    const elsewhere = new RawPoller(second.http);
    elsewhere.token = client.token;
    expect(await elsewhere.poll()).toEqual({ status: 410, token: null, messages: [] });
    expect(await elsewhere.post(["1", "1", "room:1", "phx_join", {}])).toEqual({ status: 410 });
    expect(second.socket.stats().longPolls).toBe(0);
  });

  test("takes a token of the program's own for a parameter; its own may also come in a header", async () => {
    const seen: unknown[] = [];
    const { http } = await stage.start({
      channels,
      connect({ params }) {
        seen.push(params);
        return {};
      },
    });
    const client = new RawPoller(http, "token=mine&user[name]=ann&user[__proto__]=x&vsn=2.0.0&");
    await client.begin();
    expect(seen).toEqual([
      {
        token: "mine",
        user: Object.fromEntries([
          ["name", "ann"],
          ["__proto__", "x"],
        ]),
      },
    ]);
    await client.post(["1", "1", "room:1", "phx_join", {}]);
    expect(await client.take()).toHaveLength(1);
    await client.post(["1", "2", "room:1", "echo", {}]);
    const byHeader = new RawPoller(http);
    const headers = { "x-phoenix-longpoll-token": client.token ?? "" };
    expect(await byHeader.poll({ headers })).toMatchObject({ status: 200 });
  });

  test("is refused with 403: by connect, for another version, for a page of another host", async () => {
    const requests: ConnectRequest[] = [];
    const { http, socket } = await stage.start({
      channels,
      connect(given) {
        requests.push(given);
        return given.authToken === "s3cret" ? {} : refuse();
      },
    });
    expect(await new RawPoller(http).begin()).toEqual({ status: 403 });
    expect(await new RawPoller(http, "").begin()).toEqual({ status: 403 });
    const origin = "https://evil.example";
    expect(await new RawPoller(http).begin({ headers: { origin } })).toEqual({ status: 403 });
    const headers = { "x-phoenix-authtoken": "s3cret" };
    expect(await new RawPoller(http).begin({ headers })).toMatchObject({ status: 410 });
    expect(requests.at(-1)).toMatchObject({ params: {}, transport: "longpoll" });
    expect(socket.stats().refused).toEqual({ origin: 1, version: 1, connect: 1, full: 0 });
  });

  test("lets pages of allowed origins ask from elsewhere", async () => {
    const { http } = await stage.start({ channels, checkOrigin: ["https://shop.example"] });
    const options = (origin: string) =>
      fetch(`${http}/longpoll?vsn=2.0.0`, { method: "OPTIONS", headers: { origin } });
    const allowed = await options("https://shop.example");
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      "access-control-allow-origin": "https://shop.example",
      "access-control-allow-methods": "GET, POST, OPTIONS",
      "access-control-allow-headers": "content-type, x-phoenix-authtoken, x-phoenix-longpoll-token",
      vary: "origin",
    });
    expect((await options("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();
    const other = await fetch(`${http}/longpoll?vsn=2.0.0`, { method: "PUT" });
    expect(other.status).toBe(405);
  });

  test("answers 408 to a batch that finds no room in time, and goes on when there is room", async () => {
    const doing: (() => void)[] = [];
    const slow: Channel = {
      join: () => ok(),
      handleIn: () => new Promise((resolve) => doing.push(() => resolve(ok()))),
    };
    const { http, server } = await stage.start({
      channels: { slow },
      limits: { inboundMessages: 2, pollMs: 500, closeMs: 50 },
    });
    const client = await RawPoller.open(http);
    await client.post(["1", "1", "slow", "phx_join", {}]);
    const polling = client.poll();
    const event = (ref: string) => ["1", ref, "slow", "do", {}];
    await polling;
    expect(await client.post(event("2"), event("3"), event("4"))).toEqual({ status: 408 });
    const arrived = once(server, "request");
    const batch = client.post(event("5"));
    await arrived;
    // One at a time.
    expect(await client.post(event("6"))).toEqual({ status: 408 });
    doing.shift()?.();
    expect(await batch).toEqual({ status: 200 });
  });

  test.each([
    ["no JSON", "[", 400],
    ["bytes of another kind", Buffer.of(9, 9).toString("base64"), 400],
    ["a line that is too long", `["1","1","room:1","phx_join",{"a":"${"x".repeat(20_000)}"}]`, 413],
    ["a batch that is too long", "x\n".repeat(20_000), 413],
  ])("ends a session that sends what is no frame: %s", async (_what, body, status) => {
    const { http, socket } = await stage.start({
      channels,
      limits: { frameBytes: 10_000, batchBytes: 30_000 },
    });
    const client = await RawPoller.open(http);
    await client.post(["1", "1", "room:1", "phx_join", {}]);
    expect(await client.postText(body)).toEqual({ status });
    expect(socket.stats()).toMatchObject({ longPolls: 0, channels: 0, closed: { malformed: 1 } });
    expect(await client.poll()).toMatchObject({ status: 410 });
  });

  test("ends a session for which too much waits", async () => {
    const { http, socket } = await stage.start({ channels, limits: { outboundBytes: 10_000 } });
    const client = await RawPoller.open(http);
    await client.post(["1", "1", "room:1", "phx_join", {}]);
    for (let at = 0; at < 11; at += 1) socket.broadcast("room:1", "flood", { text: "x".repeat(1_000) });
    expect(socket.stats()).toMatchObject({ longPolls: 0, channels: 0, closed: { slow: 1 } });
    expect(await client.poll()).toMatchObject({ status: 410 });
  });

  test("keeps what was not told because a poll was given up", async () => {
    const { http, server, socket } = await stage.start({ channels });
    const client = await RawPoller.open(http);
    await client.post(["1", "1", "room:1", "phx_join", {}]);
    await client.take();
    const pending = request(`${http}/longpoll?vsn=2.0.0&token=${client.token}`).end();
    pending.on("error", () => {});
    const [, response] = (await once(server, "request")) as [IncomingMessage, ServerResponse];
    pending.destroy();
    await once(response, "close");
    socket.broadcast("room:1", "said", { n: 1 });
    // Whoever waited would have been told by now.
    await new Promise((resolve) => setImmediate(resolve));
    expect(await client.take()).toEqual([[null, null, "room:1", "said", { n: 1 }]]);
  });

  test("is disconnected by id, and ends with its node, by 410", async () => {
    const options = { channels, id: () => "user:ann" };
    const first = await stage.start(options);
    const second = await stage.start(options);
    await second.node.settled();
    const here = await RawPoller.open(first.http);
    const waiting = here.poll();
    await eventually(() => first.socket.stats().longPolls === 1);
    second.socket.disconnect("user:ann");
    expect((await waiting).status).toBe(410);
    const again = await RawPoller.open(first.http);
    const polling = again.poll();
    await first.node.stop();
    expect((await polling).status).toBe(410);
  });
});
