import { createServer, type Server } from "node:net";
import type { Clock } from "../../kernel/clock.ts";
import { BusClosedError } from "../../kernel/errors.ts";
import type { Random } from "../../kernel/random.ts";
import { Broker } from "./broker.ts";
import { BROKER_LIMITS, type BrokerLimits } from "./limits.ts";

/** Never anything else: the broker has no passwords. */
const LOOPBACK = "127.0.0.1";

export interface HostOptions {
  readonly port: number;
  /** The client name of the node that would host. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<BrokerLimits> | undefined;
  onWarning(message: string): void;
}

/** One node's standing offer to host the broker. Whoever gets the port hosts; the system lets one have it. */
export class Host {
  readonly #options: HostOptions;
  #broker: Broker | undefined;
  #attempt: Promise<boolean> | undefined;
  #closed = false;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  get isHosting(): boolean {
    return this.#broker !== undefined;
  }

  /**
   * True when this node hosts now, or did already; false when somebody else has the port.
   * @throws BusClosedError when the port cannot be had for another reason
   */
  tryToHost(): Promise<boolean> {
    this.#attempt ??= this.#try().finally(() => {
      this.#attempt = undefined;
    });
    return this.#attempt;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#attempt?.catch(() => undefined);
    await this.#broker?.close();
    this.#broker = undefined;
  }

  async #try(): Promise<boolean> {
    if (this.#broker !== undefined) return true;
    if (this.#closed) return false;
    const { port, name, clock, random, limits } = this.#options;
    const server = createServer({ noDelay: true });
    if (!(await listen(server, port))) return false;
    this.#broker = new Broker({
      server,
      port,
      // With the time in it, so that it is new at each start even where chance is seeded.
      id: `rollcall-${Math.floor(clock.now().wallMs).toString(36)}-${random.u32().toString(36)}${random.u32().toString(36)}`,
      name,
      limits: { ...BROKER_LIMITS, ...limits },
      clock,
      onSlowClient: (clientName, bytes) => {
        this.#options.onWarning(`the embedded bus cut off ${clientName}, which left ${bytes} bytes unread`);
      },
    });
    return true;
  }
}

function listen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE") resolve(false);
      else
        reject(
          new BusClosedError(`cannot listen on ${LOOPBACK}:${port} for the embedded bus: ${cause.message}`, {
            cause,
          }),
        );
    });
    // `exclusive`: in a worker of node:cluster the port would otherwise be shared, and every worker would think it hosts.
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      server.removeAllListeners("error");
      server.on("error", () => undefined);
      resolve(true);
    });
  });
}
