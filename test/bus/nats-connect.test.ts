import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, nkeys } from "nats";
import { afterEach, describe, expect, test } from "vitest";
import { natsBus } from "../../src/bus/nats.ts";
import { BusPeer } from "../support/bus-peer.ts";
import { makeCertificates } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { makeOperatorSetup } from "../support/nats-jwt.ts";
import { NatsServer, type NatsServerOptions } from "../support/nats-server.ts";
import { SilentServer } from "../support/silent-server.ts";

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const disposable of disposables.splice(0).reverse()) await disposable[Symbol.asyncDispose]();
});

async function startServer(options?: NatsServerOptions): Promise<NatsServer> {
  const server = await NatsServer.start(options);
  disposables.push(server);
  return server;
}

async function connectPeer(...parameters: Parameters<typeof BusPeer.connect>): Promise<BusPeer> {
  const peer = await BusPeer.connect(...parameters);
  disposables.push({ [Symbol.asyncDispose]: () => peer.connection.close() });
  return peer;
}

/** Two peers of one bus, one message between them: the bus works. */
async function proveItCarries(bus: ReturnType<typeof natsBus>): Promise<void> {
  const [a, b] = [await connectPeer(bus, "a"), await connectPeer(bus, "b")];
  await b.listen("t.x");
  a.publish("t.x", "through");
  await eventually(() => b.texts.includes("through"));
}

describe("options", () => {
  test.each([
    [{ servers: [] }, "natsBus.servers"],
    [{ servers: ["a:1", "b:99999"] }, "natsBus.servers"],
    [{ servers: "ws://x:1" }, "natsBus.servers"],
    [{ servers: "a b" }, "natsBus.servers"],
    [{ nkeySeed: "UAAA" }, "natsBus.nkeySeed"],
    [{ credentials: "no creds" }, "natsBus.credentials"],
    [{ credentialsFile: "/nonexistent/x.creds" }, "natsBus.credentialsFile"],
    [{ pass: "p" }, "natsBus.pass"],
    [{ token: "t", user: "u" }, "natsBus"],
    [{ connection: {} }, "natsBus.connection"],
    [{ advisories: "a.*" }, "natsBus.advisories"],
    [{ inboxPrefix: "a..b" }, "natsBus.inboxPrefix"],
    [{ dialTimeoutMs: 1 }, "natsBus.dialTimeoutMs"],
    [{ server: "x" }, "natsBus.server"],
    [null, "natsBus"],
  ])("%j is refused at %s, with what it takes", (options, path) => {
    const make = (): unknown => Reflect.apply(natsBus, undefined, [options]);
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(make).toThrow(new RegExp(`^${path.replaceAll(".", "\\.")}[ \\[].* takes .+`));
  });

  test("an error about a secret does not show it", () => {
    expect(() => natsBus({ nkeySeed: "SUsecret" })).toThrow(/\(hidden\)/);
    expect(() => natsBus({ credentials: "secret" })).not.toThrow(/secret/);
  });
});

describe("the first connect", () => {
  test("where nobody listens it fails at once, naming each server and what to check", async () => {
    const [first, second] = [await freePort(), await freePort()];
    const started = performance.now();
    const failure = BusPeer.connect(
      natsBus({ servers: [`nats://u:hush@127.0.0.1:${first}`, `127.0.0.1:${second}`] }),
      "a",
    );
    await expect(failure).rejects.toMatchObject({ code: "BUS_CLOSED", cause: expect.any(AggregateError) });
    await expect(failure).rejects.toThrow(
      new RegExp(`127.0.0.1:${first}.*ECONNREFUSED.*127.0.0.1:${second}.*check that`),
    );
    await expect(failure).rejects.not.toThrow(/hush/);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test("a host name none of whose addresses answers is named with the reason", async () => {
    const failure = BusPeer.connect(natsBus({ servers: `localhost:${await freePort()}` }), "a");
    await expect(failure).rejects.toThrow(/localhost:\d+ \(.*ECONNREFUSED/);
  });

  test("a listener that never speaks is given up in time, and no socket is left", async () => {
    const silent = await SilentServer.start();
    disposables.push(silent);
    const failure = BusPeer.connect(
      natsBus({ servers: `127.0.0.1:${silent.port}`, dialTimeoutMs: 100 }),
      "a",
    );
    await expect(failure).rejects.toThrow(/no greeting within 100 ms/);
    await eventually(() => silent.open === 0);
  });

  test("a listener that is not NATS is named as such", async () => {
    const http = await SilentServer.start({ greeting: "HTTP/1.1 400 Bad Request\r\n\r\n" });
    disposables.push(http);
    const failure = BusPeer.connect(natsBus({ servers: `127.0.0.1:${http.port}` }), "a");
    await expect(failure).rejects.toThrow(/not a NATS server/);
  });

  test("a server that turns the client away with an error is told with that error", async () => {
    const other = await SilentServer.start({ greeting: "-ERR 'maximum connections exceeded'\r\n" });
    disposables.push(other);
    const failure = BusPeer.connect(natsBus({ servers: `127.0.0.1:${other.port}` }), "node@1");
    await expect(failure).rejects.toThrow(/refuses connections: maximum connections exceeded/);
  });

  test("an abort rejects it with the signal's reason, and no socket is left", async () => {
    const silent = await SilentServer.start();
    disposables.push(silent);
    const controller = new AbortController();
    const failure = BusPeer.connect(natsBus({ servers: `127.0.0.1:${silent.port}` }), "a", {
      signal: controller.signal,
    });
    await eventually(() => silent.open === 1);
    const reason = new Error("changed my mind");
    controller.abort(reason);
    await expect(failure).rejects.toBe(reason);
    await eventually(() => silent.open === 0);
  });

  test("an abort while the server hesitates rejects it too; when the server comes round, nobody stays connected", async () => {
    const info = {
      server_id: "X",
      server_name: "x",
      version: "2.9.0",
      proto: 1,
      max_payload: 1_024,
      client_id: 1,
    };
    let heard = "";
    const slow = await SilentServer.start({
      greeting: `INFO ${JSON.stringify(info)}\r\n`,
      reply: (data) => {
        heard += data;
        return "";
      },
    });
    disposables.push(slow);
    const controller = new AbortController();
    const failure = BusPeer.connect(natsBus({ servers: `127.0.0.1:${slow.port}` }), "a", {
      signal: controller.signal,
    });
    await eventually(() => heard.includes("PING"));
    controller.abort(new Error("enough"));
    await expect(failure).rejects.toThrow("enough");
    slow.say("PONG\r\n");
    await eventually(() => slow.open === 0);
  });

  test("a server that was down at first is not forgotten", async () => {
    const port = await freePort();
    const up = await startServer();
    const servers = [`127.0.0.1:${port}`, `127.0.0.1:${await freePort()}`, up.url];
    const peer = await connectPeer(natsBus({ servers }), "a");
    await up.kill();
    await startServer({ port });
    await eventually(() => peer.connection.epoch === 2 && peer.connection.connected);
    await peer.connection.flush();
  });
});

describe("credentials", () => {
  test("wrong ones are refused with UnauthorizedError, right ones work, by option and in the URL", async () => {
    const server = await startServer({ config: "authorization { user: shop, password: s3cret }" });
    for (const options of [{}, { user: "shop", pass: "wrong" }, { token: "shop" }]) {
      const failure = BusPeer.connect(natsBus({ servers: server.url, ...options }), "a");
      await expect(failure).rejects.toMatchObject({ code: "UNAUTHORIZED", cause: expect.any(Error) });
    }
    await proveItCarries(natsBus({ servers: server.url, user: "shop", pass: "s3cret" }));
    await proveItCarries(natsBus({ servers: `nats://shop:s3cret@127.0.0.1:${server.port}` }));
  });

  test("a token works, by option and in the URL", async () => {
    const server = await startServer({ config: "authorization { token: t0ken }" });
    await proveItCarries(natsBus({ servers: server.url, token: "t0ken" }));
    await proveItCarries(natsBus({ servers: `nats://t0ken@127.0.0.1:${server.port}` }));
    const failure = BusPeer.connect(natsBus({ servers: server.url, token: "wrong" }), "a");
    await expect(failure).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  test("an NKey works, and permissions may be bound to one inbox prefix", async () => {
    const pair = nkeys.createUser();
    const allowed = '["t.>", "_INBOX_shop.>"]';
    const server = await startServer({
      config: `authorization { users: [ { nkey: ${pair.getPublicKey()},
        permissions: { publish: ${allowed}, subscribe: ${allowed} } } ] }`,
    });
    const nkeySeed = new TextDecoder().decode(pair.getSeed());
    const bus = natsBus({ servers: server.url, nkeySeed, inboxPrefix: "_INBOX_shop" });
    await proveItCarries(bus);
    const peer = await connectPeer(bus, "c");
    peer.connection.probe("t.nobody");
    await eventually(() => peer.noResponders.includes("t.nobody"));
    const other = new TextDecoder().decode(nkeys.createUser().getSeed());
    const failure = BusPeer.connect(natsBus({ servers: server.url, nkeySeed: other }), "a");
    await expect(failure).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  test("a creds file works, by content and by path", async () => {
    const setup = makeOperatorSetup();
    const server = await startServer({ config: setup.serverConfig });
    const path = join(server.directory, "user.creds");
    writeFileSync(path, setup.creds);
    await proveItCarries(natsBus({ servers: server.url, credentials: setup.creds }));
    await proveItCarries(natsBus({ servers: server.url, credentialsFile: path }));
  });

  test("credentials that are revoked later close the connection for good, as unauthorized", async () => {
    const users = (list: string): string =>
      `authorization { users: [ { user: other, password: p }, ${list} ] }`;
    const server = await startServer({ config: users("{ user: a, password: p }") });
    const peer = await connectPeer(natsBus({ servers: server.url, user: "a", pass: "p" }), "a");
    await server.configure(users(""));
    server.signal("SIGHUP");
    await eventually(() => peer.statusKinds.includes("closed"));
    expect(peer.statusKinds).toEqual(expect.arrayContaining(["disconnected", "closed"]));
    expect(peer.statuses.at(-1)).toMatchObject({
      kind: "closed",
      unauthorized: true,
      error: expect.any(Error),
    });
    expect(peer.connection.connected).toBe(false);
    expect(peer.publish("t.x", "x")).toBe(false);
  });
});

describe("TLS", () => {
  test("a server with a certificate of our own authority is reached, and without it refused", async () => {
    const server = await NatsServer.start();
    disposables.push(server);
    const files = makeCertificates(server.directory);
    await server.kill();
    await server.configure(`tls { cert_file: "${files.cert}", key_file: "${files.key}" }`);
    await server.run();
    await proveItCarries(natsBus({ servers: `tls://localhost:${server.port}`, tls: { caFile: files.ca } }));
    const failure = BusPeer.connect(natsBus({ servers: `tls://localhost:${server.port}` }), "a");
    await expect(failure).rejects.toMatchObject({ code: "BUS_CLOSED", cause: expect.any(Error) });
    await expect(failure).rejects.toThrow(/certificate/);
  });
});

describe("a connection that the user made", () => {
  test("is left open by close(), with nothing of ours on it", async () => {
    const server = await startServer();
    const connection = await connect({ servers: server.url });
    try {
      const peer = await connectPeer(natsBus({ connection }), "a");
      await peer.listen("t.x");
      await peer.connection.close();
      expect(connection.isClosed()).toBe(false);
      await connection.flush();
      await expect(connection.request("t.x", undefined, { timeout: 1_000 })).rejects.toMatchObject({
        code: "503",
      });
    } finally {
      await connection.close();
    }
  });

  test("closed by its user is told as closed, and not as unauthorized", async () => {
    const server = await startServer();
    const connection = await connect({ servers: server.url });
    const peer = await connectPeer(natsBus({ connection }), "a");
    await connection.close();
    await eventually(() => peer.statusKinds.includes("closed"));
    expect(peer.statuses).toEqual([{ kind: "disconnected" }, { kind: "closed", unauthorized: false }]);
  });

  test("that is closed already is refused", async () => {
    const server = await startServer();
    const connection = await connect({ servers: server.url });
    await connection.close();
    await expect(BusPeer.connect(natsBus({ connection }), "a")).rejects.toMatchObject({ code: "BUS_CLOSED" });
  });

  test("may be drained by its user: nothing is thrown", async () => {
    const server = await startServer();
    const connection = await connect({ servers: server.url });
    const peer = await connectPeer(natsBus({ connection }), "a");
    const drained = connection.drain();
    peer.connection.subscribe("t.late");
    peer.publish("t.x", "x");
    await drained;
    expect(peer.publish("t.x", "x")).toBe(false);
    await eventually(() => peer.statusKinds.includes("closed"));
  });
});
