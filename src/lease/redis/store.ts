import { createHash } from "node:crypto";
import type { LeaseLinks, LeaseOpenOptions, LeaseStore } from "../port.ts";
import type { LeaseRequest } from "../requests.ts";
import { type LeaseSettings, leaseTimes } from "../settings.ts";
import { RedisLink } from "./link.ts";
import type { RedisLeasesSettings } from "./options.ts";

/** A server that answers nothing for so long is dialled anew, in milliseconds: its sessions are lost by then, or nearly. */
const SILENT_MS = { least: 1_000, most: 10_000 } as const;

/** What the state of a store on a server looks like. Changes when older nodes could not work with it. */
const LAYOUT = 1;

const ONE_SERVER =
  "one Redis only: while it is down nobody gets or keeps a strict name, and what it forgets at a restart or failover cannot be " +
  "asked of another, so tokens then go on from the calendar; three independent ones do better";

export class RedisLeaseStore implements LeaseStore {
  readonly kind = "redis";
  readonly servers: readonly string[];
  readonly settings: LeaseSettings;
  readonly #redis: RedisLeasesSettings;

  constructor(settings: RedisLeasesSettings) {
    this.#redis = settings;
    this.settings = settings.lease;
    this.servers = settings.addresses.map(({ text }) => text);
  }

  open(options: LeaseOpenOptions): LeaseLinks {
    return new RedisLinks(this.#redis, options);
  }
}

/** The connections of one node to the servers. */
class RedisLinks implements LeaseLinks {
  readonly #links: readonly RedisLink[];
  /** By server, the process that answered there last. */
  readonly #processes = new Map<number, string>();
  #hasWarned = false;
  #closing: Promise<void> | undefined;

  constructor(settings: RedisLeasesSettings, options: LeaseOpenOptions) {
    const { addresses, lease, namespace, tls } = settings;
    const silentMs = Math.min(SILENT_MS.most, Math.max(SILENT_MS.least, lease.ttlMs));
    const guardMs = Math.ceil(leaseTimes(lease).guardMs);
    this.#links = addresses.map((address, server) => {
      const configuration = describe(settings, server);
      const nonce = Array.from({ length: 3 }, () => options.random.u32().toString(36)).join("");
      return new RedisLink(
        {
          ...{ address, tls, silentMs, guardMs, configuration, nonce },
          stateKey: `rollcall:{${namespace}}:state`,
          ttlMs: lease.ttlMs,
          digest: createHash("sha256").update(configuration).digest("hex").slice(0, 16),
        },
        options,
        {
          onConnected: () => {
            this.#warnOfOne(settings, options);
            options.onConnected(server);
          },
          onDisconnected: () => options.onDisconnected(server),
          onReply: (id, reply) => options.onReply(server, id, reply),
          onWarning: (message) => options.onWarning(server, message),
          sameAs: (process) => this.#sameAs(server, process, settings),
        },
      );
    });
  }

  send(server: number, id: number, request: LeaseRequest): void {
    this.#links[server]?.send(id, request);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(this.#links.map((link) => link.close())).then(() => undefined);
    return this.#closing;
  }

  #warnOfOne({ addresses }: RedisLeasesSettings, options: LeaseOpenOptions): void {
    if (addresses.length > 1 || this.#hasWarned) return;
    this.#hasWarned = true;
    options.onWarning(0, `Redis ${addresses[0]?.text ?? ""}: ${ONE_SERVER}`);
  }

  /** Two addresses of one server, or two databases of it, are one server. */
  #sameAs(server: number, process: string, { addresses }: RedisLeasesSettings): string | undefined {
    for (const [other, known] of this.#processes) {
      if (other !== server && known === process) return addresses[other]?.text;
    }
    this.#processes.set(server, process);
    return undefined;
  }
}

/** What all nodes must agree on. The place of the server is part of it: one that is meant to be another is refused. */
function describe({ addresses, lease }: RedisLeasesSettings, server: number): string {
  const { clockRateBound, serverStepMs, ttlMs } = lease;
  const servers = addresses.map(({ text }) => text);
  return JSON.stringify({ layout: LAYOUT, servers, server, ttlMs, clockRateBound, serverStepMs });
}
