import { connect as connectV3, type NatsConnection as V3 } from "@nats-io/transport-node";
import { connect as connectV2, type NatsConnection as V2 } from "nats";
import { afterAll, beforeAll } from "vitest";
import { natsBus } from "../../src/bus/nats.ts";
import type { Bus } from "../../src/bus/port.ts";
import { type BusHarness, describeBus } from "../contract/bus.contract.ts";
import { BusPeer } from "../support/bus-peer.ts";
import { NatsServer } from "../support/nats-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

type UserConnection = V2 | V3;

/** Each peer has a proxy of its own to the one server, so that one can be cut off. */
async function natsHarness(
  makeBus: (port: number) => Promise<[Bus, UserConnection?]>,
  echoes: boolean,
): Promise<BusHarness> {
  const proxies = new Map<string, TcpProxy>();
  const peers: BusPeer[] = [];
  const clients: UserConnection[] = [];
  return {
    echoes,
    async connect(name, options) {
      const proxy = await TcpProxy.start(server.port);
      proxies.set(name, proxy);
      const [bus, client] = await makeBus(proxy.port);
      if (client !== undefined) clients.push(client);
      const peer = await BusPeer.connect(bus, name, options);
      peers.push(peer);
      return peer;
    },
    cut: (name) => proxies.get(name)?.cut(),
    heal: (name) => proxies.get(name)?.heal(),
    async [Symbol.asyncDispose]() {
      await Promise.all(peers.map((peer) => peer.connection.close()));
      await Promise.all(clients.map((client) => client.close()));
      await Promise.all([...proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
    },
  };
}

const patient = { maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 20 };

describeBus("natsBus", () =>
  natsHarness(async (port) => [natsBus({ servers: `nats://127.0.0.1:${port}` })], false),
);

describeBus("natsBus over a user's connection of package nats, which echoes", () =>
  natsHarness(async (port) => {
    const connection = await connectV2({ servers: `127.0.0.1:${port}`, ...patient });
    return [natsBus({ connection }), connection];
  }, true),
);

describeBus("natsBus over a user's connection of @nats-io/transport-node", () =>
  natsHarness(async (port) => {
    const connection = await connectV3({ servers: `127.0.0.1:${port}`, noEcho: true, ...patient });
    return [natsBus({ connection }), connection];
  }, false),
);
