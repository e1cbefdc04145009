import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface NatsServerOptions {
  /** More lines of the server's configuration. */
  readonly config?: string;
  readonly port?: number;
  /** With JetStream, on disk, in the directory of the server: it is there again after a restart. */
  readonly jetstream?: boolean;
}

/** One real nats-server on a loopback port. Its process ends with `stop()`, or with this process, whatever happens. */
export class NatsServer implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  readonly #jetstream: boolean;
  #child: ChildProcess | undefined;
  #log = "";

  private constructor(port: number, directory: string, jetstream: boolean) {
    this.port = port;
    this.#directory = directory;
    this.#jetstream = jetstream;
  }

  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const port = options.port ?? (await freePort());
    const directory = await mkdtemp(join(tmpdir(), "rollcall-nats-"));
    const server = new NatsServer(port, directory, options.jetstream === true);
    try {
      await server.configure(options.config ?? "");
      await server.run();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get directory(): string {
    return this.#directory;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get log(): string {
    return this.#log;
  }

  /** Writes the configuration; `signal("SIGHUP")` or a restart makes it count. */
  async configure(config: string): Promise<void> {
    const store = join(this.#directory, "jetstream");
    const jetstream = this.#jetstream ? `jetstream { store_dir: "${store}" }\n` : "";
    await writeFile(this.#configFile(), `listen: 127.0.0.1:${this.port}\n${jetstream}${config}\n`);
  }

  /** Starts the process again after `kill()`, on the same port, and waits until it takes connections. */
  async run(): Promise<void> {
    const child = spawn("nats-server", ["-c", this.#configFile()], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    endWithUs(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-20_000);
      });
    }
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`nats-server ended: ${this.#log}`);
        return accepts(this.port);
      },
      { withinMs: 10_000, what: () => this.#log },
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the process at once, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #configFile(): string {
    return join(this.#directory, "nats.conf");
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

/** A child must not outlive the test run, also when a test fails half-way or the run is interrupted. */
function endWithUs(child: ChildProcess): void {
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
