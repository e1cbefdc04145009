import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { firstWord, placeFor, type ServerPlace, ServerProcess } from "./server-process.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface NatsServerOptions {
  /** More lines of the server's configuration. */
  readonly config?: string;
  readonly port?: number;
  /** With JetStream, on disk, in the directory of the server: it is there again after a restart. */
  readonly jetstream?: boolean;
}

/** One real nats-server on a loopback port. `signal("SIGHUP")` makes a new configuration count, too. */
export class NatsServer extends ServerProcess {
  readonly #jetstream: boolean;

  private constructor(place: ServerPlace, jetstream: boolean) {
    super(place);
    this.#jetstream = jetstream;
  }

  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const place = await placeFor("nats", options.port);
    return new NatsServer(place, options.jetstream === true).begin(options.config);
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  protected override command(configFile: string): readonly [string, ...string[]] {
    return ["nats-server", "-c", configFile];
  }

  protected override configuration(config: string): readonly string[] {
    const store = join(this.directory, "jetstream");
    const jetstream = this.#jetstream ? [`jetstream { store_dir: "${store}" }`] : [];
    return [`listen: 127.0.0.1:${this.port}`, ...jetstream, config];
  }

  protected override async answers(): Promise<boolean> {
    return (await firstWord(this.port)) !== undefined;
  }
}

export interface NatsCluster extends AsyncDisposable {
  readonly servers: readonly NatsServer[];
  /** Cuts every route between two servers, by index. With `stall`, silently: neither server is told. Needs `proxied`. */
  cut(left: number, right: number, how?: "reset" | "stall"): void;
  heal(left: number, right: number): void;
}

/**
 * A cluster on loopback ports. With `proxied`, each route goes through a proxy of its own that can be cut: the servers are told
 * a cluster address that leads nowhere, else they would find each other's real ports by gossip and go round the proxies.
 */
export async function startNatsCluster(options: {
  size: number;
  proxied?: boolean;
  jetstream?: boolean;
  config?: string;
}): Promise<NatsCluster> {
  const { size } = options;
  const clusterPorts = await Promise.all(Array.from({ length: size }, () => freePort()));
  const nowhere = await freePort();
  const proxies = new Map<string, TcpProxy>();
  const servers: NatsServer[] = [];
  const cluster: NatsCluster = {
    servers,
    cut: (left, right, how = "reset") => {
      for (const proxy of between(left, right)) how === "reset" ? proxy.cut() : proxy.stall();
    },
    heal: (left, right) => {
      for (const proxy of between(left, right)) proxy.heal();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
      await Promise.all([...proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
    },
  };
  const between = (left: number, right: number): readonly TcpProxy[] =>
    [proxies.get(`${left}>${right}`), proxies.get(`${right}>${left}`)].filter((proxy) => proxy !== undefined);
  try {
    for (let index = 0; index < size; index += 1) {
      const routes: number[] = [];
      for (const [other, clusterPort] of clusterPorts.entries()) {
        if (other === index) continue;
        if (options.proxied !== true) routes.push(clusterPort);
        else {
          const proxy = await TcpProxy.start(clusterPort);
          proxies.set(`${index}>${other}`, proxy);
          routes.push(proxy.port);
        }
      }
      const advertise = options.proxied === true ? `advertise: "127.0.0.1:${nowhere}"` : "";
      servers.push(
        await NatsServer.start({
          jetstream: options.jetstream === true,
          config: `server_name: s${index}
cluster { name: test, listen: 127.0.0.1:${clusterPorts[index]}, no_advertise: true, ${advertise}
  routes: [${routes.map((port) => `"nats://127.0.0.1:${port}"`).join(", ")}] }
${options.config ?? ""}`,
        }),
      );
    }
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}
