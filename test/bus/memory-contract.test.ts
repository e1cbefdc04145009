import { MemoryNetwork } from "../../src/bus/memory.ts";
import { SeededRandom } from "../../src/kernel/random.ts";
import { type BusHarness, describeBus } from "../contract/bus.contract.ts";
import { BusPeer } from "../support/bus-peer.ts";
import { RealClock } from "../support/real-clock.ts";

async function memoryHarness(): Promise<BusHarness> {
  const network = new MemoryNetwork({ clock: new RealClock(), random: new SeededRandom("contract") });
  const peers: BusPeer[] = [];
  return {
    echoes: false,
    async connect(name, options) {
      const peer = await BusPeer.connect(network.bus(name), name, options);
      peers.push(peer);
      return peer;
    },
    cut: (name) => network.disconnect(name),
    heal: (name) => network.reconnect(name),
    async [Symbol.asyncDispose]() {
      await Promise.all(peers.map((peer) => peer.connection.close()));
    },
  };
}

describeBus("MemoryNetwork on a real clock", memoryHarness);
