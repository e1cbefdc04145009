import { createConnection, type Socket } from "node:net";
import { connect, headers, type NatsConnection } from "nats";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { embeddedBusWithLimits } from "../../src/bus/embedded/bus.ts";
import type { BrokerLimits } from "../../src/bus/embedded/limits.ts";
import { BusPeer } from "../support/bus-peer.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";

const disposables: AsyncDisposable[] = [];
let port: number;
beforeEach(async () => {
  port = await freePort();
});
afterEach(async () => {
  for (const disposable of disposables.splice(0).reverse()) await disposable[Symbol.asyncDispose]();
});

async function startHost(limits: Partial<BrokerLimits> = {}): Promise<BusPeer> {
  const peer = await BusPeer.connect(embeddedBusWithLimits(port, limits), "host@1");
  disposables.push({ [Symbol.asyncDispose]: () => peer.connection.close() });
  return peer;
}

async function connectClient(name: string, options: object = {}): Promise<NatsConnection> {
  const client = await connect({ servers: `127.0.0.1:${port}`, name, ...options });
  disposables.push({ [Symbol.asyncDispose]: () => client.close() });
  return client;
}

/** A bare TCP connection, for what no client would say. */
class RawClient {
  text = "";
  closed = false;
  readonly socket: Socket;

  constructor() {
    this.socket = createConnection({ host: "127.0.0.1", port });
    this.socket.on("data", (chunk) => {
      this.text += chunk.toString("latin1");
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.closed = true;
    });
    disposables.push({ [Symbol.asyncDispose]: async () => void this.socket.destroy() });
  }

  async says(text: string): Promise<void> {
    await eventually(() => this.text.includes(text), { what: () => JSON.stringify(this.text) });
  }
}

describe("the embedded broker speaks core NATS to any client", () => {
  test("requests and replies, queue groups, headers and limited subscriptions work", async () => {
    await startHost();
    const [a, b] = [await connectClient("a"), await connectClient("b")];
    b.subscribe("echo", { callback: (_, message) => void message.respond(message.data) });
    const taken: string[] = [];
    for (const worker of ["w1", "w2", "w3"]) {
      b.subscribe("work.>", {
        queue: "workers",
        callback: (_, message) => void taken.push(`${worker} ${message.string()}`),
      });
    }
    const heard: (string | undefined)[] = [];
    b.subscribe("headed", { callback: (_, message) => void heard.push(message.headers?.get("k")) });
    const limited: string[] = [];
    b.subscribe("limited", { max: 2, callback: (_, message) => void limited.push(message.string()) });
    await b.flush();
    expect((await a.request("echo", "hello")).string()).toBe("hello");
    for (let index = 0; index < 9; index += 1) a.publish("work.x.y", String(index));
    const head = headers();
    head.set("k", "v");
    a.publish("headed", "body", { headers: head });
    for (const text of ["1", "2", "3"]) a.publish("limited", text);
    await a.flush();
    await b.flush();
    expect(taken.map((text) => text.split(" ")[1]).sort()).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
    ]);
    expect(new Set(taken.map((text) => text.split(" ")[0])).size).toBe(3);
    expect(heard).toEqual(["v"]);
    expect(limited).toEqual(["1", "2"]);
    await expect(a.request("nobody", "x", { timeout: 1_000 })).rejects.toMatchObject({ code: "503" });
  });

  test("echo is on unless the client says otherwise", async () => {
    await startHost();
    const [loud, quiet] = [await connectClient("loud"), await connectClient("quiet", { noEcho: true })];
    const heard: string[] = [];
    for (const client of [loud, quiet]) {
      client.subscribe("t", {
        callback: (_, message) =>
          void heard.push(`${client === loud ? "loud" : "quiet"} ${message.string()}`),
      });
      await client.flush();
    }
    loud.publish("t", "from loud");
    quiet.publish("t", "from quiet");
    await Promise.all([loud.flush(), quiet.flush()]);
    await eventually(() => heard.length === 3);
    expect(heard.sort()).toEqual(["loud from loud", "loud from quiet", "quiet from loud"]);
  });

  test("a subscription that is to end after two messages ends, also when it had two already", async () => {
    await startHost();
    const raw = new RawClient();
    await raw.says("INFO");
    const publish = "PUB t 0\r\n\r\n";
    raw.socket.write(
      `CONNECT {}\r\nSUB t 1\r\nUNSUB 1 2\r\n${publish.repeat(4)}SUB t 2\r\n${publish.repeat(2)}UNSUB 2 1\r\n`,
    );
    raw.socket.write(`${publish}PING\r\n`);
    await raw.says("PONG");
    expect(raw.text.match(/MSG t 1 0/g)).toHaveLength(2);
    expect(raw.text.match(/MSG t 2 0/g)).toHaveLength(2);
  });

  test("`>` takes one token or more, `*` exactly one, and neither matches inside a token", async () => {
    await startHost();
    const raw = new RawClient();
    await raw.says("INFO");
    raw.socket.write("CONNECT {}\r\nSUB a.> 1\r\nSUB a.*.c 2\r\nSUB a.b* 3\r\n");
    for (const subject of ["a", "a.b", "a.b.c", "a.bx", "b.a", "a.b*"])
      raw.socket.write(`PUB ${subject} 0\r\n\r\n`);
    raw.socket.write("PING\r\n");
    await raw.says("PONG");
    const delivered = [...raw.text.matchAll(/MSG (\S+) (\d) 0/g)].map((match) => `${match[1]} ${match[2]}`);
    expect(delivered.sort()).toEqual(["a.b 1", "a.b* 1", "a.b* 3", "a.b.c 1", "a.b.c 2", "a.bx 1"]);
  });
});

describe("the embedded broker bears bad clients", () => {
  test.each([
    ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "Unknown Protocol Operation"],
    ["PUB t 5\r\nabcdefgh\r\n", "Parser Error"],
    [`PUB ${"x".repeat(10_000)}`, "Maximum Control Line Exceeded"],
    ["PUB t 2000000\r\n", "Maximum Payload Violation"],
    ["CONNECT {nonsense\r\n", "Parser Error"],
    [Buffer.from([0, 255, 254, 10, 13, 10]).toString("latin1"), "Unknown Protocol Operation"],
  ])("%j is answered with an error and a hang-up, and the others go on", async (garbage, error) => {
    const host = await startHost();
    await host.listen("t.ok");
    const raw = new RawClient();
    await raw.says("INFO");
    raw.socket.write(Buffer.from(garbage, "latin1"));
    await raw.says(`-ERR '${error}'`);
    await eventually(() => raw.closed);
    const client = await connectClient("good");
    client.publish("t.ok", "fine");
    await eventually(() => host.texts.includes("fine"));
    expect(host.connection.epoch).toBe(1);
  });

  test("a bad subject is refused, and the connection lives on", async () => {
    await startHost();
    const raw = new RawClient();
    raw.socket.write(
      "CONNECT {}\r\nSUB a..b 1\r\nSUB a.>.b 2\r\nPUB .a 0\r\n\r\nPUB $ROLLCALL.DISCONNECT 0\r\n\r\nPING\r\n",
    );
    await raw.says("PONG");
    expect(raw.text.match(/-ERR '[^']*/g)).toEqual([
      "-ERR 'Invalid Subject",
      "-ERR 'Invalid Subject",
      "-ERR 'Invalid Publish Subject",
      '-ERR \'Permissions Violation for Publish to "$ROLLCALL.DISCONNECT"',
    ]);
    expect(raw.closed).toBe(false);
  });

  test("a client that does not read is cut off at the limit, its host is warned, and the others go on", async () => {
    const host = await startHost({ pendingBytes: 1_000_000 });
    const raw = new RawClient();
    await raw.says("INFO");
    raw.socket.write('CONNECT {"name":"sleeper@1"}\r\nSUB t.flood 1\r\nPING\r\n');
    await raw.says("PONG");
    raw.socket.pause();
    const client = await connectClient("good");
    const chunk = new Uint8Array(100_000);
    // The kernel's own buffers take some megabytes before anything waits in the broker.
    await eventually(
      async () => {
        client.publish("t.flood", chunk);
        await client.flush();
        return host.warnings.length > 0;
      },
      { withinMs: 10_000 },
    );
    expect(host.warnings).toEqual([
      expect.stringMatching(/cut off sleeper@1, which left \d{7,} bytes unread/),
    ]);
    await eventually(() => host.advisories.includes("sleeper@1"));
    await host.listen("t.ok");
    client.publish("t.ok", "fine");
    await eventually(() => host.texts.includes("fine"));
  });

  test("a client to which more is sent in one turn than may wait for it is cut off in the midst of that", async () => {
    const host = await startHost({ pendingBytes: 1_000_000 });
    const raw = new RawClient();
    await raw.says("INFO");
    const subscriptions = Array.from({ length: 500 }, (_, index) => `SUB t.many ${index}\r\n`).join("");
    raw.socket.write(`CONNECT {"name":"flooder@1"}\r\n${subscriptions}PING\r\n`);
    await raw.says("PONG");
    raw.socket.write("PUB t.many 0\r\n\r\n".repeat(3_000));
    await eventually(() => raw.closed);
    const [warning = ""] = host.warnings;
    const left = Number(/cut off flooder@1, which left (\d+) bytes unread/.exec(warning)?.[1]);
    expect(left).toBeGreaterThan(1_000_000);
    expect(left).toBeLessThan(1_001_000);
  });

  test("there is a limit to clients and to subscriptions, and each is named", async () => {
    await startHost({ clients: 3, subscriptionsPerClient: 10 });
    const greedy = new RawClient();
    greedy.socket.write(
      `CONNECT {}\r\n${Array.from({ length: 11 }, (_, index) => `SUB t ${index}\r\n`).join("")}`,
    );
    await greedy.says("-ERR 'maximum subscriptions exceeded'");
    await eventually(() => greedy.closed);
    const [second, third] = [new RawClient(), new RawClient()];
    await second.says("INFO");
    await third.says("INFO");
    const fourth = new RawClient();
    await fourth.says("-ERR 'maximum connections exceeded'");
    await eventually(() => fourth.closed);
  });

  test("whoever never says CONNECT is ended, and makes room; who has said it may be silent", async () => {
    await startHost({ clients: 4, connectMs: 300 });
    const quiet = new RawClient();
    quiet.socket.write("CONNECT {}\r\n");
    await quiet.says("INFO");
    const idle = [new RawClient(), new RawClient()];
    idle[1]?.socket.write("PING\r\n");
    for (const client of idle) await client.says("INFO");
    await new RawClient().says("-ERR 'maximum connections exceeded'");
    for (const client of idle) await client.says("-ERR 'no CONNECT within 300 ms'");
    await eventually(() => idle.every((client) => client.closed));
    await new RawClient().says("INFO");
    expect([quiet.closed, quiet.text]).toEqual([false, expect.not.stringContaining("-ERR")]);
  });

  test("a CONNECT that came while the broker's own process stood still is in time", async () => {
    await startHost({ connectMs: 200 });
    const raw = new RawClient();
    await raw.says("INFO");
    raw.socket.write("CONNECT {}\r\nPING\r\n");
    // The event loop stands still: the timer is due before the socket is read.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    await raw.says("PONG");
    const later = new RawClient();
    await later.says("-ERR 'no CONNECT within 200 ms'");
    expect([raw.closed, raw.text]).toEqual([false, expect.not.stringContaining("-ERR")]);
  });

  test("nothing that stands behind a refused command is carried out, though it came with it", async () => {
    const host = await startHost({ subscriptionsPerClient: 10 });
    await host.listen("t.ok");
    const unreadable = new RawClient();
    unreadable.socket.write('CONNECT {\r\nCONNECT {"name":"node@1"}\r\nSUB t.gone 1\r\nPUB t.ok 2\r\nno\r\n');
    const greedy = new RawClient();
    const tooMany = Array.from({ length: 11 }, (_, index) => `SUB t ${index}\r\n`).join("");
    greedy.socket.write(`CONNECT {}\r\n${tooMany}SUB t.gone 11\r\n`);
    await eventually(() => unreadable.closed && greedy.closed);
    // A subscription left behind would answer for a node that is gone, and a name would stay taken.
    host.connection.probe("t.gone");
    await eventually(() => host.noResponders.includes("t.gone"));
    await (await connectClient("node@1")).close();
    await eventually(() => host.advisories.includes("node@1"));
    expect(host.texts).toEqual([]);
  });

  test("it listens on 127.0.0.1 only", async () => {
    await startHost();
    const socket = createConnection({ host: "127.0.0.2", port });
    const outcome = await new Promise((resolve) => {
      socket.once("connect", () => resolve("connected"));
      socket.once("error", (error) => resolve(error));
    });
    socket.destroy();
    expect(outcome).toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("the broker tells who has gone", () => {
  test("the end of the last connection of a name is told, that of an earlier one is not", async () => {
    const host = await startHost();
    const [first, second] = [await connectClient("peer@1"), await connectClient("peer@1")];
    const other = await connectClient("other@1");
    await first.close();
    await other.close();
    await eventually(() => host.advisories.includes("other@1"));
    expect(host.advisories).toEqual(["other@1"]);
    await second.close();
    await eventually(() => host.advisories.includes("peer@1"));
    expect(host.advisories).toEqual(["other@1", "peer@1"]);
  });
});
