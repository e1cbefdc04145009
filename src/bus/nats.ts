import { adopt, dial } from "./nats/dial.ts";
import { checkNatsOptions, type NatsBusOptions } from "./nats/options.ts";
import type { Bus } from "./port.ts";

/**
 * A bus over NATS, with core NATS only: no JetStream is needed. Made with servers and credentials, or over a connection that
 * you made. It reconnects for ever; only a refusal of the credentials, or your closing your own connection, ends it.
 *
 * @throws InvalidArgumentError naming the option that is wrong
 */
export function natsBus(options: NatsBusOptions = {}): Bus {
  const settings = checkNatsOptions(options);
  return {
    kind: "nats",
    connect: (connectOptions) =>
      settings.connection === undefined
        ? dial({ settings }, connectOptions)
        : adopt(settings.connection, settings, connectOptions),
  };
}
