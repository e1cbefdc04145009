import { SeededRandom } from "../../../src/kernel/random.ts";
import { MemoryLeases } from "../../../src/lease/memory/store.ts";
import type { LeaseStore } from "../../../src/lease/port.ts";
import { describeLeases, type LeaseHarness } from "../../contract/lease.contract.ts";
import { RealClock } from "../../support/real-clock.ts";

/** The servers have a clock that goes only when it is told to. */
async function memoryHarness(): Promise<LeaseHarness> {
  let serverMs = 1_000_000;
  const store = new MemoryLeases({
    clock: new RealClock(),
    random: new SeededRandom("contract"),
    serverNow: () => serverMs,
    delayMs: { min: 0, max: 1 },
  });
  const [server] = store.members;
  const otherwise: LeaseStore = {
    kind: "memory",
    servers: store.servers,
    settings: store.settings,
    open: (options) => store.open({ ...options }, "another configuration"),
  };
  return {
    store,
    otherwise,
    pass: async (ms) => {
      serverMs += ms;
    },
    cut: (index) => store.cut(index),
    heal: (index) => store.heal(index),
    losing: {
      restart: (index, data) => {
        store.cut(index);
        server?.restart(data === "kept" ? server.snapshot() : undefined);
        store.heal(index);
      },
      wipe: (index) => {
        store.cut(index);
        server?.wipe();
        store.heal(index);
      },
    },
    async [Symbol.asyncDispose]() {},
  };
}

describeLeases("lease servers in memory", memoryHarness);
