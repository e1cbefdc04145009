import type { LeaseStore } from "../../../src/index.ts";
import { type JetstreamLeasesOptions, jetstreamLeases } from "../../../src/jetstream.ts";
import { type RedisLeasesOptions, redisLeases } from "../../../src/redis.ts";

/** Where leases are kept: plain data, since it travels to the process that runs the node. */
export type LeasesSetup =
  | { readonly kind: "redis"; readonly servers: readonly string[]; readonly options?: RedisLeasesOptions }
  | { readonly kind: "jetstream"; readonly options: JetstreamLeasesOptions };

export function leasesOf(setup: LeasesSetup): LeaseStore {
  switch (setup.kind) {
    case "redis":
      return redisLeases(setup.servers, setup.options);
    case "jetstream":
      return jetstreamLeases(setup.options);
  }
}
