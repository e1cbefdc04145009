import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Served, ServiceStage } from "../support/service-stage.ts";
import { SocketClient } from "../support/socket-client.ts";

const SOON = { withinMs: 20_000 };
const ADMIN = "admin-token-0123456789";
const READER = "reader-token-0123456789";

let stage: ServiceStage;
let here: Served;
let there: Served;

beforeAll(async () => {
  stage = await ServiceStage.start();
  here = await stage.serve();
  there = await stage.serve();
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

function holder(name: string): unknown {
  return there.node.names.whereis(name)?.pid;
}

describe("a session over a WebSocket", () => {
  test("does all that a session can do", async () => {
    using one = await SocketClient.connect(here.service.url);
    using other = await SocketClient.connect(there.service.url);
    expect(await one.ask("register", { name: "s", meta: 1 })).toMatchObject({
      ok: { name: "s", pid: one.pid },
    });
    await eventually(() => holder("s") === one.pid, SOON);
    expect(await other.ask("register", { name: "s" })).toMatchObject({
      error: { code: "NAME_TAKEN", status: 409 },
    });
    expect(await other.ask("whereis", { name: "s" })).toMatchObject({ ok: { pid: one.pid, meta: 1 } });
    expect(await one.ask("join", { group: "g" })).toMatchObject({ ok: {} });
    await eventually(() => there.node.groups.count("g") === 1, SOON);
    expect(await other.ask("publish", { group: "g", message: [1] })).toMatchObject({ ok: { members: 1 } });
    await one.saw(({ kind, message }) => kind === "message" && Array.isArray(message));
    await other.ask("send", { to: { pid: one.pid }, message: "direct" });
    expect(await one.saw(({ message }) => message === "direct")).toMatchObject({ from: other.pid });
    const { ok } = await other.ask("monitor", { target: { name: "s" } });
    const called = other.ask("call", { to: { name: "s" }, message: "question" });
    const { call } = await one.saw(({ kind }) => kind === "call");
    await one.ask("reply", { call, result: 42 });
    expect((await called).ok).toEqual({ result: 42 });
    const failing = other.ask("call", { to: { name: "s" }, message: "again" });
    const { call: second } = await one.saw(({ message }) => message === "again");
    await one.ask("fail", { call: second, error: "no" });
    expect(await failing).toMatchObject({ error: { code: "CALL_FAILED" } });
    expect(await one.ask("session")).toMatchObject({ ok: { names: ["s"], groups: ["g"] } });
    expect(await one.ask("leave", { group: "g" })).toMatchObject({ ok: {} });
    expect(await one.ask("unregister", { name: "s" })).toMatchObject({ ok: {} });
    expect(await one.ask("registerStrict", { name: "s" })).toMatchObject({ error: { code: "NO_LEASES" } });
    one.close();
    const down = await other.saw(({ kind }) => kind === "down");
    expect(down).toMatchObject({ monitor: ok?.["monitor"], reason: { kind: "normal" } });
  });

  test("ends with the connection when that is closed in good order", async () => {
    using client = await SocketClient.connect(here.service.url, "/v1/socket?graceMs=60000");
    await client.ask("register", { name: "closing" });
    await eventually(() => holder("closing") === client.pid, SOON);
    client.close();
    await eventually(() => holder("closing") === undefined, SOON);
  });

  test("outlives a dropped connection for its grace, and is found again with all that came meanwhile", async () => {
    using client = await SocketClient.connect(here.service.url, "/v1/socket?graceMs=60000");
    const { pid, session } = client;
    await client.ask("register", { name: "dropped" });
    client.drop();
    await client.closed;
    here.node.send(pid as never, "while you were away");
    using back = await SocketClient.connect(here.service.url, `/v1/sessions/${session}/socket`);
    expect(back.pid).toBe(pid);
    await back.saw(({ message }) => message === "while you were away");
    expect(here.node.names.whereis("dropped")?.pid).toBe(pid);
    back.close();
  });

  test("is gone after its grace", async () => {
    using client = await SocketClient.connect(here.service.url, "/v1/socket?graceMs=0");
    await client.ask("register", { name: "dropped for good" });
    await eventually(() => holder("dropped for good") === client.pid, SOON);
    client.drop();
    await eventually(() => holder("dropped for good") === undefined, SOON);
  });

  test("a new connection takes the place of the last", async () => {
    using one = await SocketClient.connect(here.service.url);
    using two = await SocketClient.connect(here.service.url, `/v1/sessions/${one.session}/socket`);
    expect((await one.closed)[0]).toBe(1_008);
    expect(await two.ask("register", { name: "taken along" })).toMatchObject({ ok: { pid: one.pid } });
    two.close();
  });

  test.each([
    "",
    "{",
    "null",
    "[]",
    "1",
    '{"id":1}',
    '{"id":1,"op":"nonsense"}',
    '{"id":{},"op":"join","group":"g"}',
    '{"id":1,"op":"join"}',
    '{"id":1,"op":"join","group":""}',
    '{"id":1,"op":"send","to":{"pid":1},"message":1}',
    '{"id":1,"op":"send","to":{"pid":"a","name":"b"},"message":1}',
    '{"id":1,"op":"register","name":"x","__proto__":{"y":1},"timeoutMs":-1}',
    Buffer.from([0, 255]),
  ])("%j is answered with a problem, and the connection lives on", async (nonsense) => {
    using client = await SocketClient.connect(here.service.url);
    client.send(nonsense);
    await eventually(() => client.received.some(({ error }) => error?.["status"] === 400), SOON);
    expect(await client.ask("join", { group: "after nonsense" })).toMatchObject({ ok: {} });
    client.close();
  });

  test("a message over the limit closes the connection, and its session ends after the grace", async () => {
    using client = await SocketClient.connect(here.service.url, "/v1/socket?graceMs=0");
    await client.ask("register", { name: "too large" });
    client.send(JSON.stringify({ id: 1, op: "send", to: { name: "x" }, message: "x".repeat(1_100_000) }));
    expect((await client.closed)[0]).toBe(1_009);
    await eventually(() => holder("too large") === undefined, SOON);
  });
});

describe("who may connect", () => {
  let guarded: Served;

  beforeAll(async () => {
    guarded = await stage.serve({
      tokens: [
        { scope: "admin", token: ADMIN },
        { scope: "read", token: READER },
      ],
    });
  });

  test("a token may come as a subprotocol, as browsers can set no headers", async () => {
    using client = await SocketClient.connect(guarded.service.url, "/v1/socket", [`rollcall.token.${ADMIN}`]);
    expect(await client.ask("join", { group: "g" })).toMatchObject({ ok: {} });
    client.close();
  });

  test.each([
    ["without a token", [], "401"],
    ["with a wrong one", ["rollcall.token.0123456789abcdef"], "401"],
    ["with one for reading", [`rollcall.token.${READER}`], "403"],
  ])("%s: refused", async (_what, protocols, status) => {
    await expect(SocketClient.connect(guarded.service.url, "/v1/socket", protocols)).rejects.toThrow(status);
  });

  test.each([
    ["/v1/nothing", "404"],
    ["/v1/sessions/unknown/socket", "404"],
    ["/v1/socket?graceMs=-1", "400"],
    ["/v1/socket?graceMs=x", "400"],
  ])("%s: refused", async (path, status) => {
    await expect(SocketClient.connect(here.service.url, path)).rejects.toThrow(status);
  });

  test.each(["GET //[ HTTP/1.1", "GET /v1/socket HTTP/1.1\r\nSec-WebSocket-Version: 99"])(
    "a handshake that is none is refused and hung up on: %j",
    async (start) => {
      const socket = connect(here.service.port, "127.0.0.1");
      let said = "";
      socket.on("data", (data) => {
        said += data.toString();
      });
      socket.write(`${start}\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`);
      await new Promise((resolve) => socket.on("close", resolve));
      expect(said).toMatch(/^HTTP\/1.1 4\d\d /);
    },
  );

  test("a page of another origin is refused, unless it is let in: then its browser is told so", async () => {
    const page = { headers: { origin: "https://pages.example" } };
    expect((await fetch(`${here.service.url}/v1/nodes`, page)).status).toBe(403);
    const { service } = await stage.serve({ origins: ["https://pages.example"] });
    const answer = await fetch(`${service.url}/v1/nodes`, page);
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([
      200,
      "https://pages.example",
    ]);
    const asked = await fetch(`${service.url}/v1/sessions`, {
      method: "OPTIONS",
      headers: {
        ...page.headers,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,last-event-id",
      },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-headers")).toContain("authorization");
    const abort = new AbortController();
    const stream = await fetch(`${service.url}/v1/watch/nodes`, { ...page, signal: abort.signal });
    expect(stream.headers.get("access-control-allow-origin")).toBe("https://pages.example");
    expect(stream.headers.get("x-content-type-options")).toBe("nosniff");
    abort.abort();
    const stranger = await fetch(`${service.url}/v1/nodes`, { headers: { origin: "https://evil.example" } });
    expect([stranger.status, stranger.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  });

  test("a WebSocket that does not answer does not keep the service from closing", async () => {
    const { service } = await stage.serve();
    const socket = connect(service.port, "127.0.0.1");
    const handshake = [
      "GET /v1/socket HTTP/1.1",
      "Host: localhost",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    socket.write(`${handshake.join("\r\n")}\r\n\r\n`);
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    const closed = new Promise((resolve) => socket.on("close", () => resolve("client")));
    await service.close({ deadlineMs: 200 });
    socket.resume();
    await closed;
  });
});
