import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startService } from "../../src/http.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http-client.ts";
import { type Served, ServiceStage } from "../support/service-stage.ts";
import { SocketClient } from "../support/socket-client.ts";

const SOON = { withinMs: 20_000 };

let stage: ServiceStage;
let served: Served;

beforeAll(async () => {
  stage = await ServiceStage.start();
  served = await stage.serve();
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

/** Everything that the server says until it hangs up. */
async function say(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let said = "";
  socket.on("data", (data) => {
    said += data.toString();
  });
  socket.on("error", () => {});
  socket.write(text);
  await new Promise((resolve) => socket.on("close", resolve));
  return said;
}

async function gauge({ service }: Served, name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return Number(new RegExp(`^rollcall_${name} (.*)$`, "m").exec(text)?.[1]);
}

describe("requests of unusual clients", () => {
  test("a body that comes in chunks is a body, however small they are", async () => {
    const { client, service } = served;
    const session = await client.openSession();
    const body = '{"meta":"é"}';
    const chunks = [...Buffer.from(body)].map((byte) =>
      Buffer.concat([Buffer.from("1\r\n"), Buffer.of(byte), Buffer.from("\r\n")]),
    );
    const head = `PUT /v1/sessions/${session.id}/names/chunked HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;
    const text = Buffer.concat([Buffer.from(head), ...chunks, Buffer.from("0\r\n\r\n")]).toString("latin1");
    const socket = connect(service.port, "127.0.0.1");
    socket.end(Buffer.from(text, "latin1"));
    socket.resume();
    await eventually(() => served.node.names.whereis("chunked")?.meta === "é", SOON);
    await session.ask("DELETE", "");
  });

  test("a body that is said to be JSON and is none at all is no body; a word that nobody knows is refused", async () => {
    const { client } = served;
    const session = await client.openSession();
    const headers = { "content-type": "application/json" };
    const put = await fetch(`${client.url}/v1/sessions/${session.id}/names/empty`, {
      method: "PUT",
      headers,
    });
    expect(put.status).toBe(201);
    const unknown = await client.ask("POST", "/v1/sessions", { ttlsMs: 5_000 });
    expect(unknown).toMatchObject({ status: 400, body: { code: "BAD_REQUEST" } });
    expect(unknown.body["detail"]).toContain("ttlsMs");
    await session.ask("DELETE", "");
  });

  test("another protocol that is offered is left alone, and the request answered", async () => {
    const offer =
      "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA";
    const said = await say(served.service.port, `GET /livez HTTP/1.1\r\nhost: localhost\r\n${offer}\r\n\r\n`);
    expect(said).toMatch(/^HTTP\/1.1 200 [\s\S]*\{"ok":true\}/);
    const body = `POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\n${offer}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    expect(await say(served.service.port, body)).toMatch(/^HTTP\/1.1 400 [\s\S]*without an Upgrade/);
  });

  test("HTTP/1.0 needs no host", async () => {
    expect(await say(served.service.port, "GET /livez HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.\d 200 /);
  });

  test("a handshake that fails leaves no session", async () => {
    const before = await gauge(served, "http_sessions");
    const words =
      "host: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: short";
    expect(
      await say(served.service.port, `GET /v1/socket?graceMs=60000 HTTP/1.1\r\n${words}\r\n\r\n`),
    ).toMatch(/^HTTP\/1.1 400 /);
    expect(await gauge(served, "http_sessions")).toBe(before);
  });

  test("readers of events that read nothing are hung up on, also when another took their place", async () => {
    const { client, node, service } = await stage.serve({
      limits: { stallMs: 300, inboxBytes: 100_000_000 },
    });
    const session = await client.openSession();
    // More than all buffers on the way hold.
    for (let count = 0; count < 60; count += 1) node.send(session.pid as never, "x".repeat(500_000));
    await eventually(async () => (await session.ask("GET", "")).body["waiting"] === 60, SOON);
    const path = `/v1/sessions/${session.id}/events`;
    const sockets = Array.from({ length: 10 }, () => {
      const socket = connect(service.port, "127.0.0.1");
      socket.pause();
      socket.write(
        `GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nlast-event-id: 0\r\n\r\n`,
      );
      return new Promise((resolve) => {
        socket.on("error", resolve).on("close", resolve);
        // Only what the server does shows here: nothing is read.
        const look = setInterval(() => socket.write("\r\n"), 50);
        socket.on("close", () => clearInterval(look));
      });
    });
    await Promise.all(sockets);
  });
});

describe("the end of a session", () => {
  test("comes after the grace of its connection, although it was opened for longer", async () => {
    const { client, node, service } = served;
    const session = await client.openSession({ ttlMs: 3_600_000 });
    await session.ask("PUT", "/names/grace");
    using socket = await SocketClient.connect(service.url, `/v1/sessions/${session.id}/socket?graceMs=100`);
    socket.drop();
    await eventually(() => node.names.whereis("grace") === undefined, SOON);
  });

  test("is not that of a connection that another one replaced", async () => {
    const { service } = served;
    using one = await SocketClient.connect(service.url);
    using two = await SocketClient.connect(service.url, `/v1/sessions/${one.session}/socket`);
    one.close();
    await one.closed;
    expect(await two.ask("session")).toMatchObject({ ok: { session: one.session } });
    two.close();
  });

  test("is put off by messages that it says", async () => {
    const { client } = served;
    const session = await client.openSession({ ttlMs: 1_000 });
    const endsAtMs = performance.now() + 2_500;
    await eventually(async () => {
      const sent = await client.ask("POST", "/v1/send", {
        to: { pid: session.pid },
        message: 1,
        from: session.id,
      });
      expect(sent.status).toBe(202);
      return performance.now() > endsAtMs;
    }, SOON);
    await session.ask("DELETE", "");
  });

  test("comes when its client reads nothing of what it lost", async () => {
    const { client } = await stage.serve({ limits: { holdings: 10, inboxEvents: 10 } });
    const gone = await client.openSession();
    await gone.ask("DELETE", "");
    const session = await client.openSession();
    await eventually(async () => {
      const { status } = await session.ask("POST", "/monitors", { target: { pid: gone.pid } });
      return status === 404;
    }, SOON);
  });

  test("is not told of names that it frees, but of those that others do", async () => {
    const admin = "admin-token-0123456789";
    const { client } = await stage.serve({ tokens: [{ scope: "admin", token: admin }] });
    const owner = new HttpClient(client.url, { authorization: `Bearer ${admin}` });
    const session = await owner.openSession();
    for (const name of ["mine", "theirs"]) await session.ask("PUT", `/names/${name}`);
    using events = session.events();
    await session.ask("DELETE", "/names/mine");
    await session.ask("DELETE", "/names/unknown");
    expect((await owner.ask("DELETE", "/v1/names/theirs")).status).toBe(200);
    expect((await events.saw(({ event }) => event === "nameFreed")).data).toMatchObject({ name: "theirs" });
    await session.ask("DELETE", "");
    await events.saw(({ event }) => event === "ended");
    expect(events.events.map(({ event }) => event)).toEqual(["nameFreed", "ended"]);
  });

  test("is near for one that is opened on a server which leaves, and it is told so", async () => {
    const { client, service } = await stage.serve();
    service.leave({ deadlineMs: 1_234 });
    const session = await client.openSession();
    using events = session.events();
    expect((await events.saw(({ event }) => event === "draining")).data).toMatchObject({ deadlineMs: 1_234 });
  });
});

describe("two services on one node", () => {
  test("each is ready by itself, whatever becomes of the other", async () => {
    const { client, node, service } = await stage.serve();
    const other = await startService(node, { port: 0 });
    expect((await client.get("/readyz")).status).toBe(200);
    await other.close();
    expect(other.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await expect(startService(node, { port: service.port })).rejects.toThrow("EADDRINUSE");
    // What was seen last is told for a while.
    for (let looks = 0; looks < 3; looks += 1) {
      await eventually(async () => (await client.get("/readyz")).status === 200, SOON);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect((await client.get("/readyz")).status).toBe(200);
  });

  test("what a session holds in other scopes counts", async () => {
    const { client } = await stage.serve({ scopes: ["extra"], limits: { holdings: 2 } });
    const session = await client.openSession();
    const put = (path: string) => session.ask("PUT", path);
    expect([(await put("/groups/a?scope=extra")).status, (await put("/names/b?scope=extra")).status]).toEqual(
      [201, 201],
    );
    expect(await put("/groups/c")).toMatchObject({ status: 429, body: { limit: "holdings" } });
  });
});
