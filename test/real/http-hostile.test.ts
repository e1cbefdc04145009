import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Served, ServiceStage } from "../support/service-stage.ts";
import { SocketClient } from "../support/socket-client.ts";

/** `FUZZ_REQUESTS` for more. */
const REQUESTS = Number(process.env["FUZZ_REQUESTS"] ?? 4_000);
const CONNECTIONS = 8;
const SOON = { withinMs: 20_000 };
/** Faster than defaults, to be seen. */
const LIMITS = { requestsPerSecond: 1_000_000, requestBurst: 1_000_000, requestMs: 2_000, bodyBytes: 10_000 };
/** Names that nobody but the test writes: what strangers do must not touch them. */
const KEPT = ["kept/1", "kept/2"];

let stage: ServiceStage;
let served: Served;

beforeAll(async () => {
  stage = await ServiceStage.start();
  served = await stage.serve({ limits: LIMITS });
  const process = served.node.spawn();
  for (const name of KEPT) await served.node.names.register(name, process, { meta: name });
  served.node.groups.join("kept", process);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

const hostileText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom(
    "",
    "..",
    "%",
    "%zz",
    "%00",
    "%2F",
    "kept%2F1",
    "__proto__",
    "constructor",
    "*",
    ">",
    "a".repeat(600),
    "\u202e",
    "💥",
  ),
);
const segment = fc.oneof(
  { weight: 5, arbitrary: hostileText.map((text) => encodeURIComponent(text.toWellFormed())) },
  { weight: 1, arbitrary: hostileText.map((text) => text.replaceAll(/[\s\p{Cc}]/gu, "_")) },
);
const path = fc.oneof(
  fc.constantFrom("/v1/names", "/v1/nodes", "/v1/stats", "/livez", "/metrics", "/openapi.json", "/"),
  fc
    .tuple(
      fc.constantFrom(
        "/v1/names/",
        "/v1/sessions/",
        "/v1/groups/",
        "/v1/strict-names/",
        "/v1/nodes/",
        "/v1/call",
        "/v1/send",
        "/v1/stats",
        "/metrics",
        "/openapi.json",
        "/",
        "/v1/socket",
      ),
      segment,
      fc.constantFrom(
        "",
        "/publish",
        "/members",
        "/names/x",
        "/events",
        "/groups/y",
        "/monitors",
        "/replies",
        "/socket",
      ),
      fc.constantFrom(
        "",
        "?scope=x",
        "?limit=-1",
        "?limit=1e9",
        "?after=%",
        "?prefix=%ff",
        "?timeoutMs=1",
        "?waitMs=x",
        "?&&=",
        "#",
      ),
    )
    .map((parts) => parts.join("")),
  segment,
);
const body = fc.oneof(
  fc.json(),
  fc.string({ maxLength: 100 }),
  fc.constantFrom(
    "{",
    '{"to":{"name":"kept/1"},"message":1,"timeoutMs":1}',
    '{"message":null}',
    '{"__proto__":{"admin":true}}',
    '{"ttlMs":-1}',
    '{"ttlMs":1e308}',
    "[".repeat(5_000),
    `"${"x".repeat(20_000)}"`,
    '{"to":{"pid":"a@b/c"},"message":{}}',
  ),
);
const method = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom("GET", "POST", "PUT", "DELETE") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "BREW", ""),
  },
);
/** Most of what Node itself refuses would keep us from seeing what the service does. */
const header = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.constantFrom(
      "content-type: application/json",
      "content-type: application/json",
      "content-type: text/plain",
      "accept: text/event-stream",
      "last-event-id: 99999999999999999999",
      "last-event-id: x.y",
      "authorization: Bearer x",
      "origin: null",
      "cookie: a=b",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "content-type: application/json; charset=\u0000",
      "transfer-encoding: chunked",
      "content-length: 7",
      "content-length: -1",
      "expect: 100-continue",
      "upgrade: websocket\r\nconnection: upgrade",
      "host: evil.example",
      `x: ${"y".repeat(20_000)}`,
      "nonsense",
      ": x",
    ),
  },
);
const request = fc.record({
  method,
  path,
  headers: fc.array(header, { maxLength: 3 }),
  body: fc.option(body, { nil: undefined }),
});

type Hostile = typeof request extends fc.Arbitrary<infer T> ? T : never;

function written({ body: text, headers, method, path: target }: Hostile): string {
  const length = text === undefined ? [] : [`content-length: ${Buffer.byteLength(text)}`];
  return [`${method} ${target} HTTP/1.1`, "host: localhost", ...headers, ...length, "", text ?? ""].join(
    "\r\n",
  );
}

/** Sends it on a connection of its own, and hangs up when it is answered, or after a while. */
function sendRaw(port: number, data: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let said = "";
    const done = (): void => {
      socket.destroy();
      resolve(said);
    };
    const timer = setTimeout(done, 1_000);
    socket.on("data", (chunk) => {
      said += chunk.toString("latin1");
      if (/\r\n\r\n/.test(said)) done();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(said);
    });
    socket.write(data);
  });
}

describe("input that nobody meant", () => {
  test(
    `${REQUESTS} requests: no crash, no 5xx of ours, no leak, and the tables as they were`,
    async () => {
      const { node, service } = served;
      const statuses = new Map<string, number>();
      const samples = fc.sample(request, REQUESTS);
      let next = 0;
      const run = async (): Promise<void> => {
        for (let sample = samples[next++]; sample !== undefined; sample = samples[next++]) {
          const status =
            /^HTTP\/1\.1 (\d+)/.exec(await sendRaw(service.port, written(sample)))?.[1] ?? "none";
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          expect([sample, status]).not.toEqual([sample, "500"]);
        }
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, run));
      // It was let in, and it was refused: else nothing was tried.
      for (const status of ["200", "400", "403", "404"]) expect(statuses.get(status)).toBeGreaterThan(0);
      await expectUnharmed(served);
      expect(node.stats().bugs).toBe(0);
    },
    REQUESTS * 20 + 60_000,
  );

  test("bytes that are no HTTP", async () => {
    const some = fc.sample(fc.uint8Array({ maxLength: 200 }), 200);
    await Promise.all(some.map((bytes) => sendRaw(served.service.port, Buffer.from(bytes))));
    await expectUnharmed(served);
  }, 60_000);

  test("WebSocket messages that nobody meant", async () => {
    using client = await SocketClient.connect(served.service.url);
    const word = fc.oneof(
      fc.constantFrom("op", "id", "name", "group", "to", "message", "scope", "target", "call"),
      fc.string(),
    );
    const op = fc.constantFrom(
      "register",
      "join",
      "leave",
      "send",
      "call",
      "publish",
      "monitor",
      "demonitor",
      "reply",
      "session",
      "whereis",
    );
    const message = fc.oneof(
      fc.string().map((text) => text || "x"),
      fc.json(),
      fc
        .tuple(op, fc.dictionary(word, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 }))
        .map(([of, words]) =>
          JSON.stringify({ id: 1, ...words, op: of, ...(words["timeoutMs"] ? {} : { timeoutMs: 50 }) }),
        ),
    );
    for (const text of fc.sample(message, 2_000)) client.send(text);
    expect(await client.ask("session")).toMatchObject({ ok: { session: client.session } });
    client.close();
    await expectUnharmed(served);
  }, 60_000);
});

describe("clients that are too slow or too much", () => {
  test("one that never ends its headers, its body, or its handshake is hung up on", async () => {
    const { port } = served.service;
    const starts = [
      "GET / HTTP/1.1\r\nhost: localhost\r\n",
      "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
      "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
    ];
    await Promise.all(starts.map((start) => untilClosed(port, start)));
    await expectUnharmed(served);
  }, 60_000);

  test("a body over the limit is refused, told in advance or not", async () => {
    const large = JSON.stringify({ message: "x".repeat(20_000) });
    const head = "POST /v1/send HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    const { port } = served.service;
    expect(await sendRaw(port, `${head}content-length: ${large.length}\r\n\r\n${large}`)).toContain(
      "BODY_TOO_LARGE",
    );
    const chunk = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    expect(await sendRaw(port, `${head}transfer-encoding: chunked\r\n\r\n${chunk}`)).toContain(
      "BODY_TOO_LARGE",
    );
  });

  test("one that asks more often than it may is told to wait", async () => {
    const { client } = await stage.serve({ limits: { requestsPerSecond: 1, requestBurst: 5 } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.get("/livez")));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(4);
    expect(refused[0]?.body).toMatchObject({ code: "RATE_LIMITED" });
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  test.each([
    ["sessions", { sessions: 2 }],
    ["holdings", { holdings: 3 }],
  ])("over the limit of %s is refused by its name", async (limit, limits) => {
    const { client } = await stage.serve({ limits });
    const first = await client.openSession();
    const answers = [
      await client.ask("POST", "/v1/sessions"),
      await client.ask("POST", "/v1/sessions"),
      await first.ask("PUT", "/names/l1"),
      await first.ask("PUT", "/groups/l2"),
      await first.ask("POST", "/monitors", { target: { pid: first.pid } }),
      await first.ask("PUT", "/names/l3"),
    ];
    const refused = answers.filter(({ status }) => status !== 201);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ status: 429, body: { code: "LIMIT_EXCEEDED", limit } });
    await first.ask("DELETE", "");
  });

  test("a session whose client does not read loses messages, which are counted, and calls to it fail", async () => {
    const { client, node } = await stage.serve({ limits: { inboxEvents: 10 } });
    const session = await client.openSession();
    for (let message = 0; message < 100; message += 1) {
      node.send(session.pid as never, message);
      await node.flushed();
    }
    await expect(node.call(session.pid as never, "are you there?")).rejects.toThrow(/inboxEvents/);
    await session.ask("GET", "/events?after=0");
    node.send(session.pid as never, "last");
    await eventually(async () => {
      const { body } = await session.ask("GET", "/events?after=10");
      const [event] = body["events"] as { readonly message: unknown; readonly missed: number }[];
      return event?.message === "last" && event.missed === 91;
    }, SOON);
  });

  test("a watcher that does not read is hung up on", async () => {
    const { node, service } = await stage.serve({ limits: { stallMs: 500 } });
    const process = node.spawn();
    const meta = "x".repeat(8_000);
    for (let index = 0; index < 1_500; index += 1)
      await node.names.register(`many/${index}`, process, { meta });
    const socket = connect(service.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /v1/watch/names HTTP/1.1\r\nhost: localhost\r\n\r\n");
    const gauge = async () =>
      /^rollcall_http_watchers (.*)$/m.exec(await (await fetch(`${service.url}/metrics`)).text())?.[1];
    await eventually(async () => (await gauge()) === "1", SOON);
    await eventually(async () => (await gauge()) === "0", SOON);
    socket.destroy();
    process.exit();
  }, 60_000);
});

async function untilClosed(port: number, start: string): Promise<void> {
  const socket: Socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  socket.write(start);
  await new Promise((resolve) => socket.on("close", resolve));
}

async function expectUnharmed({ client, node }: Served): Promise<void> {
  expect((await client.get("/livez")).status).toBe(200);
  const names = [...node.names.list()].filter(({ name }) => KEPT.includes(name));
  expect(names.map(({ meta, name }) => [name, meta]).sort()).toEqual(KEPT.map((name) => [name, name]));
  expect(node.groups.count("kept")).toBe(1);
  const { sockets } = (await gauges(client.url)) as { readonly sockets: number };
  expect(sockets).toBe(0);
}

async function gauges(url: string): Promise<Readonly<Record<string, number>>> {
  const read = async (name: string): Promise<number> =>
    Number(
      new RegExp(`^rollcall_${name} (.*)$`, "m").exec(await (await fetch(`${url}/metrics`)).text())?.[1],
    );
  await eventually(async () => (await read("http_websockets")) === 0, SOON);
  await eventually(async () => (await read("http_watchers")) === 0, SOON);
  await eventually(async () => (await read("http_waits")) === 0, SOON);
  return { sockets: await read("http_websockets") };
}
