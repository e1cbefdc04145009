import type { LeaseLinks, LeaseOpenOptions, LeaseStore } from "../port.ts";
import type { LeaseRequest } from "../requests.ts";
import type { LeaseSettings } from "../settings.ts";
import { SILENT_MS } from "./limits.ts";
import { JetstreamLink } from "./link.ts";
import type { JetstreamLeasesSettings } from "./options.ts";

/** What entries and snapshots look like, and what they mean. Changes when older nodes would answer otherwise. */
const LAYOUT = 3;

/** The stream is one server to those who use it: how many servers of NATS it is kept on is their affair. */
const SERVER = 0;

export class JetstreamLeaseStore implements LeaseStore {
  readonly kind = "jetstream";
  readonly servers: readonly string[];
  readonly settings: LeaseSettings;
  readonly #jetstream: JetstreamLeasesSettings;

  constructor(settings: JetstreamLeasesSettings) {
    this.#jetstream = settings;
    this.settings = settings.lease;
    this.servers = [`JetStream ${settings.bucket}`];
  }

  open(options: LeaseOpenOptions): LeaseLinks {
    const { lease } = this.#jetstream;
    const { clockRateBound, ttlMs } = lease;
    const nonce = Array.from({ length: 3 }, () => options.random.u32().toString(36)).join("");
    const link = new JetstreamLink(
      {
        jetstream: this.#jetstream,
        configuration: JSON.stringify({ layout: LAYOUT, ttlMs, clockRateBound }),
        nonce,
        silentMs: Math.min(SILENT_MS.most, Math.max(SILENT_MS.least, ttlMs / 3)),
      },
      options,
      {
        onConnected: () => options.onConnected(SERVER),
        onDisconnected: () => options.onDisconnected(SERVER),
        onReply: (id, reply) => options.onReply(SERVER, id, reply),
        onWarning: (message) => options.onWarning(SERVER, message),
      },
    );
    return new JetstreamLinks(link);
  }
}

class JetstreamLinks implements LeaseLinks {
  readonly #link: JetstreamLink;
  #closing: Promise<void> | undefined;

  constructor(link: JetstreamLink) {
    this.#link = link;
  }

  send(server: number, id: number, request: LeaseRequest): void {
    if (server === SERVER) this.#link.send(id, request);
  }

  close(): Promise<void> {
    this.#closing ??= this.#link.close();
    return this.#closing;
  }
}
