export type { LeaseStore } from "./lease/port.ts";
export type { RedisLeasesOptions } from "./lease/redis/options.ts";
export { redisLeases } from "./lease/redis.ts";
