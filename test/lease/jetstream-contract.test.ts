import { afterAll, beforeAll } from "vitest";
import { type JetstreamLeasesOptions, jetstreamLeases } from "../../src/jetstream.ts";
import { describeLeases, type LeaseHarness } from "../contract/lease.contract.ts";
import { pause } from "../support/eventually.ts";
import { type NatsCluster, NatsServer, startNatsCluster } from "../support/nats-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** Short, because time passes as it does; long enough for a busy machine to be in time with what has to happen within half of it. */
const TTL_MS = 2_000;

let server: NatsServer;
let cluster: NatsCluster;
beforeAll(async () => {
  server = await NatsServer.start({ jetstream: true });
  cluster = await startNatsCluster({ size: 3, jetstream: true });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

let buckets = 0;

/** A bucket that was never used. All connections go through one proxy. */
async function harnessOn(port: number, replicas: 1 | 3): Promise<LeaseHarness> {
  const proxy = await TcpProxy.start(port);
  buckets += 1;
  const options: JetstreamLeasesOptions = {
    servers: `nats://127.0.0.1:${proxy.port}`,
    bucket: `contract-${buckets}`,
    ttlMs: TTL_MS,
    replicas,
  };
  return {
    store: jetstreamLeases(options),
    otherwise: jetstreamLeases({ ...options, clockRateBound: 0.02 }),
    pass: pause,
    cut: () => proxy.cut(),
    heal: () => proxy.heal(),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
    },
  };
}

describeLeases("jetstreamLeases on one server", () => harnessOn(server.port, 1));
describeLeases("jetstreamLeases on three", () => harnessOn(cluster.servers[0]?.port ?? 0, 3));
