import { connect as connectV3 } from "@nats-io/transport-node";
import { connect as connectV2 } from "nats";
import { afterEach, describe, expect, test } from "vitest";
import { dial } from "../../src/bus/nats/dial.ts";
import { checkNatsOptions } from "../../src/bus/nats/options.ts";
import { natsBus } from "../../src/bus/nats.ts";
import type { Bus } from "../../src/bus/port.ts";
import { BusPeer } from "../support/bus-peer.ts";
import { eventually, pause } from "../support/eventually.ts";
import { NatsServer, startNatsCluster } from "../support/nats-server.ts";
import { SilentServer } from "../support/silent-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const disposable of disposables.splice(0).reverse()) await disposable[Symbol.asyncDispose]();
});

function keep<T extends AsyncDisposable>(disposable: T): T {
  disposables.push(disposable);
  return disposable;
}

async function connectPeer(bus: Bus, name: string): Promise<BusPeer> {
  const peer = await BusPeer.connect(bus, name);
  keep({ [Symbol.asyncDispose]: () => peer.connection.close() });
  return peer;
}

describe("what NATS says is passed on", () => {
  test("a permission that is missing is a warning that names the subject, with either client package", async () => {
    const config = `authorization { users: [ { user: a, password: p,
      permissions: { publish: ["t.>", "_INBOX_rc.>"], subscribe: ["t.>", "_INBOX_rc.>"] } } ] }`;
    const server = keep(await NatsServer.start({ config }));
    const login = { servers: server.url, user: "a", pass: "p" };
    const [v2, v3] = [await connectV2(login), await connectV3(login)];
    keep({ [Symbol.asyncDispose]: async () => void (await Promise.all([v2.close(), v3.close()])) });
    for (const bus of [natsBus(login), natsBus({ connection: v2 }), natsBus({ connection: v3 })]) {
      const peer = await connectPeer(bus, "a");
      peer.publish("secret.pub", "x");
      peer.connection.subscribe("secret.sub");
      await eventually(() => peer.warnings.length === 2);
      expect(peer.warnings).toEqual([
        expect.stringMatching(/publish.*secret\.pub/),
        expect.stringMatching(/subscription.*secret\.sub/),
      ]);
      expect(peer.connection.connected).toBe(true);
    }
  });

  test("a subscription that was refused is made again at the next reconnect", async () => {
    const users = (allowed: string): string => `authorization { users: [ { user: a, password: p,
      permissions: { subscribe: [${allowed}, "_INBOX_rc.>"] } } ] }`;
    const server = keep(await NatsServer.start({ config: users('"other"') }));
    const bus = natsBus({ servers: server.url, user: "a", pass: "p" });
    const [a, b] = [await connectPeer(bus, "a"), await connectPeer(bus, "b")];
    b.connection.subscribe("t.x");
    await eventually(() => b.warnings.length === 1);
    await server.kill();
    await server.configure(users('"t.>"'));
    await server.run();
    await eventually(() => a.connection.epoch === 2 && b.connection.epoch === 2);
    await b.connection.flush();
    a.publish("t.x", "now");
    await eventually(() => b.texts.includes("now"));
  });

  test("a server in lame duck mode is a warning, and its successor has another server id", async () => {
    const config = 'lame_duck_grace_period: "100ms"\nlame_duck_duration: "30s"';
    const server = keep(await NatsServer.start({ config }));
    const peer = await connectPeer(natsBus({ servers: server.url }), "a");
    const before = peer.connection.serverId;
    server.signal("SIGUSR2");
    await eventually(() => peer.warnings.some((warning) => warning.includes("lame duck")));
    await server.kill();
    await server.run();
    await eventually(() => peer.connection.connected && peer.connection.epoch === 2);
    expect(peer.connection.serverId).not.toBe(before);
  });

  test("a server without headers is a warning, and its probes are not sent", async () => {
    const info = {
      server_id: "OLD",
      server_name: "old",
      version: "2.1.0",
      proto: 1,
      max_payload: 1_024,
      client_id: 1,
    };
    const old = keep(
      await SilentServer.start({
        greeting: `INFO ${JSON.stringify(info)}\r\n`,
        reply: (data) => "PONG\r\n".repeat(data.split("PING\r\n").length - 1),
      }),
    );
    const peer = await connectPeer(natsBus({ servers: `127.0.0.1:${old.port}` }), "a");
    await eventually(() => peer.warnings.some((warning) => warning.includes("no headers")));
    expect(peer.connection.probe("t.x")).toBe(false);
    expect(peer.connection.maxPayload).toBe(1_024);
  });

  test("$SYS advisories imported by the account tell of a peer's end within a second, and never of our own", async () => {
    const config = `accounts {
      REG: { users: [ { user: a, password: p } ]
        imports: [ { stream: { account: SYS, subject: "$SYS.ACCOUNT.REG.DISCONNECT" }, to: "reg.sys.disconnect" } ] }
      SYS: { users: [ { user: s, password: s } ]
        exports: [ { stream: "$SYS.ACCOUNT.*.DISCONNECT", account_token_position: 3 } ] }
    }
    system_account: SYS`;
    const server = keep(await NatsServer.start({ config }));
    const login = { user: "a", pass: "p", advisories: "reg.sys.disconnect" };
    const observer = await connectPeer(natsBus({ servers: server.url, ...login }), "observer@1");
    const proxy = keep(await TcpProxy.start(server.port));
    const peer = await connectPeer(natsBus({ servers: `127.0.0.1:${proxy.port}`, ...login }), "peer@1");
    await Promise.all([observer.connection.flush(), peer.connection.flush()]);
    proxy.cut();
    await eventually(() => observer.advisories.includes("peer@1"), { withinMs: 1_000 });
    proxy.heal();
    await eventually(() => peer.connection.epoch === 2);
    await peer.connection.flush();
    expect([...observer.advisories, ...peer.advisories].filter((name) => name !== "peer@1")).toEqual([]);
    expect(peer.advisories).toEqual([]);
  });

  test("a handler that throws is a warning, and the connection goes on", async () => {
    const server = keep(await NatsServer.start());
    const bus = natsBus({ servers: server.url });
    const [a, b] = [await connectPeer(bus, "a"), await connectPeer(bus, "b")];
    b.onMessage = (_, data) => {
      if (data.length === 3) throw new Error("handler fault");
    };
    await b.listen("t.x");
    a.publish("t.x", "bad");
    a.publish("t.x", "good");
    await eventually(() => b.texts.includes("good"));
    expect(b.warnings).toEqual([expect.stringContaining("handler fault")]);
  });
});

describe("a link that fails silently", () => {
  test("a stalled connection with a full send buffer is given up and replaced", async () => {
    const server = keep(await NatsServer.start());
    const proxy = keep(await TcpProxy.start(server.port));
    const peer = new BusPeer("a");
    const settings = checkNatsOptions({ servers: `127.0.0.1:${proxy.port}`, dialTimeoutMs: 200 });
    peer.attach(await dial({ settings, pingMs: 100 }, peer.options()));
    keep({ [Symbol.asyncDispose]: () => peer.connection.close() });
    proxy.stallOpen();
    for (let index = 0; index < 100; index += 1) peer.connection.publish("t.x", new Uint8Array(200_000));
    const flush = peer.connection.flush();
    await expect(flush).rejects.toMatchObject({ code: "BUS_CLOSED" });
    expect(peer.statusKinds).toEqual(["disconnected"]);
    await eventually(() => peer.connection.connected, { withinMs: 3_000 });
    await peer.connection.flush();
    expect(peer.connection.epoch).toBe(2);
  });

  test("dials that get no answer leave no sockets behind", async () => {
    const server = keep(await NatsServer.start());
    await connectPeer(natsBus({ servers: server.url, dialTimeoutMs: 60 }), "a");
    await server.kill();
    const silent = keep(await SilentServer.start({ port: server.port }));
    await eventually(() => silent.connections >= 5);
    await eventually(() => silent.open <= 1, { withinMs: 1_000 });
  });

  test("close during a dial that gets no answer leaves no socket behind", async () => {
    const server = keep(await NatsServer.start());
    const peer = await connectPeer(natsBus({ servers: server.url }), "a");
    await server.kill();
    const silent = keep(await SilentServer.start({ port: server.port }));
    await eventually(() => silent.open === 1);
    await peer.connection.close();
    await eventually(() => silent.open === 0, { withinMs: 1_000 });
  });

  test("close during an outage ends the dialling", async () => {
    const server = keep(await NatsServer.start());
    const proxy = keep(await TcpProxy.start(server.port));
    const peer = await connectPeer(natsBus({ servers: `127.0.0.1:${proxy.port}` }), "a");
    proxy.cut();
    await eventually(() => !peer.connection.connected);
    await peer.connection.close();
    const before = proxy.connections;
    proxy.heal();
    // Longer than any wait between two dials.
    await pause(400);
    expect(proxy.connections).toBe(before);
    expect(proxy.open).toBe(0);
  });
});

describe("a cluster of servers", () => {
  test("a node whose server dies goes on at another, with another server id", async () => {
    const { servers } = keep(await startNatsCluster({ size: 2 }));
    const [first, second] = servers;
    if (first === undefined || second === undefined) throw new Error("no servers");
    const proxies = [keep(await TcpProxy.start(first.port)), keep(await TcpProxy.start(second.port))];
    const peer = await connectPeer(natsBus({ servers: proxies.map(({ port }) => `127.0.0.1:${port}`) }), "a");
    const before = peer.connection.serverId;
    const home = (proxies[0]?.open ?? 0) > 0 ? first : second;
    await home.kill();
    await eventually(() => peer.connection.epoch === 2 && peer.connection.connected);
    expect(peer.connection.serverId).not.toBe(before);
    expect(peer.statuses.at(-1)).toEqual({ kind: "connected", epoch: 2, serverId: peer.connection.serverId });
  });

  test("when a route is cut far subjects have no responders and no node is told; healed, messages pass again", async () => {
    const cluster = keep(await startNatsCluster({ size: 3, proxied: true }));
    const peers: BusPeer[] = [];
    for (const [index, server] of cluster.servers.entries()) {
      const peer = await connectPeer(natsBus({ servers: server.url }), `n${index}`);
      await peer.listen(`p.${index}`, "t.all");
      peers.push(peer);
    }
    const [a, b, c] = peers;
    if (a === undefined || b === undefined || c === undefined) throw new Error("no peers");
    await eventually(() => {
      a.publish("t.all", "first");
      return b.texts.includes("first") && c.texts.includes("first");
    });
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    await eventually(() => {
      a.connection.probe("p.1");
      c.connection.probe("p.0");
      return a.noResponders.includes("p.1") && c.noResponders.includes("p.0");
    });
    b.publish("t.all", "same side");
    await eventually(() => c.texts.includes("same side"));
    expect(peers.map((peer) => peer.statuses)).toEqual([[], [], []]);
    cluster.heal(0, 1);
    cluster.heal(0, 2);
    await eventually(
      () => {
        a.publish("t.all", "healed");
        return b.texts.includes("healed") && c.texts.includes("healed");
      },
      { withinMs: 15_000 },
    );
    expect(a.texts).not.toContain("same side");
  });
});
