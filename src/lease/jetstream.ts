import { checkJetstreamLeases, type JetstreamLeasesOptions } from "./jetstream/options.ts";
import { JetstreamLeaseStore } from "./jetstream/store.ts";
import type { LeaseStore } from "./port.ts";

/**
 * Leases in a stream of NATS JetStream, which is replicated, so it is one server to the rest: for those who have a NATS cluster and
 * nothing else. `docs/jetstream.md` says what it rests on, and what it does not protect from.
 *
 * Nothing is connected here: servers that cannot be reached, or are not fit for it, are told as a warning, and dialled for ever.
 *
 * @throws InvalidArgumentError naming the option that is wrong, without any password
 */
export function jetstreamLeases(options: JetstreamLeasesOptions = {}): LeaseStore {
  return new JetstreamLeaseStore(checkJetstreamLeases(options));
}
