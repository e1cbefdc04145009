import { parseRedisAddress } from "../../lease/redis/address.ts";
import type { Environment } from "../environment.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const OLDEST_NODE = 20;

export function judgeNodeVersion(version: string): Finding {
  const [major = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major >= OLDEST_NODE
    ? ok("node", `Node.js ${version}`)
    : fail("node", `Node.js ${version}`, `use ${OLDEST_NODE} or newer`);
}

/** What goes to lease servers in the clear: names, metadata and passwords. Of the bus, its servers tell more. */
export function judgeRedisEncryption({ redis }: Pick<Environment, "redis">): readonly Finding[] {
  const plain = (redis ?? [])
    .map(parseRedisAddress)
    .filter((address) => address !== undefined && !address.tls && !isLoopback(address.host))
    .map((address) => address?.text);
  if (plain.length === 0) return [];
  return [
    warn(
      "encryption",
      `connections to Redis at ${plain.join(", ")} are in the clear`,
      "enable TLS on the servers, and write rediss:// in place of redis://, unless the network itself is encrypted",
    ),
  ];
}

/** Only what is so by its spelling: another name may lead anywhere. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
