import { embeddedBus } from "../../src/bus/embedded/bus.ts";
import { type BusHarness, describeBus } from "../contract/bus.contract.ts";
import { BusPeer } from "../support/bus-peer.ts";
import { freePort } from "../support/free-port.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/**
 * A host, and a proxy for each other peer. A proxy that is cut goes on listening, so its peer finds the port taken and waits,
 * in place of becoming a host itself.
 */
async function embeddedHarness(): Promise<BusHarness> {
  const port = await freePort();
  const host = await BusPeer.connect(embeddedBus({ port }), "host");
  const proxies = new Map<string, TcpProxy>();
  const peers: BusPeer[] = [];
  return {
    echoes: false,
    async connect(name, options) {
      const proxy = await TcpProxy.start(port);
      proxies.set(name, proxy);
      const peer = await BusPeer.connect(embeddedBus({ port: proxy.port }), name, options);
      peers.push(peer);
      return peer;
    },
    cut: (name) => proxies.get(name)?.cut(),
    heal: (name) => proxies.get(name)?.heal(),
    async [Symbol.asyncDispose]() {
      await Promise.all(peers.map((peer) => peer.connection.close()));
      await Promise.all([...proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
      await host.connection.close();
    },
  };
}

describeBus("embeddedBus", embeddedHarness);
