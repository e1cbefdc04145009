import type { LeaseStore } from "./port.ts";
import { checkRedisLeases, type RedisLeasesOptions } from "./redis/options.ts";
import { RedisLeaseStore } from "./redis/store.ts";

/**
 * Leases on Redis servers that are independent of each other: no replication between them, no cluster. With 3 of them names
 * survive the loss of 1, with 5 of 2. One works too, and protects from less; `docs/redis.md` says what servers need.
 *
 * Nothing is connected here: a server that cannot be reached, or is not fit for it, is told as a warning, and dialled for ever.
 *
 * @param servers an odd number of them, 1 to 7, as `redis://user:password@host:port/database`; `rediss://` is with TLS. Every node
 * gives them in the same order.
 * @throws InvalidArgumentError naming the server or option that is wrong, without any password
 */
export function redisLeases(
  servers: string | readonly string[],
  options: RedisLeasesOptions = {},
): LeaseStore {
  return new RedisLeaseStore(checkRedisLeases(servers, options));
}
