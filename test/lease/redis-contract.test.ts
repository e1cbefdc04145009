import { afterAll, beforeAll } from "vitest";
import { redisLeases } from "../../src/redis.ts";
import { describeLeases, type LeaseHarness } from "../contract/lease.contract.ts";
import { eventually, pause } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { RedisServer } from "../support/redis-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** Short, because time passes as it does; long enough for a busy machine to be in time with what has to happen within half of it. */
const TTL_MS = 2_000;

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function redisHarness(): Promise<LeaseHarness> {
  await server.ask("FLUSHALL");
  // As new: a server that was wiped as it ran says so.
  await server.ask("CONFIG", "RESETSTAT");
  // The first use of a server is only told from a loss of its data when it has been running for longer than sessions last.
  await eventually(async () => (await server.uptimeSeconds()) * 1_000 > TTL_MS + 1_000);
  const proxy = await TcpProxy.start(server.port);
  // The suite looks at one server. The others are never there.
  const ports = [proxy.port, await freePort(), await freePort()];
  const urls = ports.map((port) => `redis://127.0.0.1:${port}`);
  return {
    store: redisLeases(urls, { ttlMs: TTL_MS }),
    otherwise: redisLeases(urls, { ttlMs: TTL_MS, clockRateBound: 0.02 }),
    pass: pause,
    cut: () => proxy.cut(),
    heal: () => proxy.heal(),
    losing: {
      restart: async (_index, data) => {
        if (data === "lost") await server.ask("FLUSHALL");
        await server.ask("SAVE");
        await server.kill();
        await server.run();
      },
      wipe: async () => {
        proxy.cut();
        await server.ask("FLUSHALL");
        proxy.heal();
      },
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
    },
  };
}

describeLeases("redisLeases", redisHarness);
