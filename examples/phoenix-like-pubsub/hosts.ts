import { networkInterfaces } from "node:os";

/** Under which names visitors find what listens on this host. */
export function hostsOf(host: string): readonly string[] {
  if (host === "127.0.0.1" || host === "localhost")
    return [host, host === "localhost" ? "127.0.0.1" : "localhost"];
  if (host !== "0.0.0.0" && host !== "::") return [host.includes(":") ? `[${host}]` : host];
  const own = Object.values(networkInterfaces()).flat();
  return ["localhost", ...own.flatMap((each) => (each?.family === "IPv4" ? [each.address] : []))];
}
