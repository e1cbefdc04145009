import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

export interface RedisServerOptions {
  /** More lines of the server's configuration. The last line of a kind counts. */
  readonly config?: string;
  readonly port?: number;
  /** For `ask`, when the configuration wants one. */
  readonly password?: string;
}

/** One real redis-server on a loopback port, which keeps nothing on disk unless it is configured to. Its process ends with the
 * test, or with this process, whatever happens. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  readonly #password: string | undefined;
  #child: ChildProcess | undefined;
  #log = "";

  private constructor(port: number, directory: string, password: string | undefined) {
    this.port = port;
    this.#directory = directory;
    this.#password = password;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const port = options.port ?? (await freePort());
    const directory = await mkdtemp(join(tmpdir(), "rollcall-redis-"));
    const server = new RedisServer(port, directory, options.password);
    await server.configure(options.config ?? "");
    await server.run();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get directory(): string {
    return this.#directory;
  }

  get log(): string {
    return this.#log;
  }

  /** Writes the configuration; the next `run()` makes it count. */
  async configure(config: string): Promise<void> {
    const lines = [
      "bind 127.0.0.1",
      `port ${this.port}`,
      `dir ${this.#directory}`,
      'save ""',
      "appendonly no",
      config,
    ];
    await writeFile(this.#configFile(), `${lines.join("\n")}\n`);
  }

  /** Starts the process again after `kill()`, on the same port, and waits until it has read its data and takes commands. */
  async run(): Promise<void> {
    const child = spawn("redis-server", [this.#configFile()], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    endWithUs(child, this.#directory);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-20_000);
      });
    }
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`redis-server ended: ${this.#log}`);
        return answers(this.port);
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

  /** One command, on a connection of its own. */
  async ask(command: string, ...args: readonly string[]): Promise<unknown> {
    const client = new Redis({
      host: "127.0.0.1",
      port: this.port,
      protocol: 2,
      retryStrategy: () => null,
      ...(this.#password === undefined ? {} : { password: this.#password }),
    });
    client.on("error", () => undefined);
    try {
      return await client.call(command, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** Whole seconds since the process started, as the server tells it. */
  async uptimeSeconds(): Promise<number> {
    return Number(/uptime_in_seconds:(\d+)/.exec(String(await this.ask("INFO", "server")))?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #configFile(): string {
    return join(this.#directory, "redis.conf");
  }
}

/**
 * A child must not outlive the test run, however that ends: a shell waits for the end of a pipe that this process holds. Killed
 * processes run no handlers.
 */
function endWithUs(child: ChildProcess, directory: string): void {
  const script = 'read -r _; kill -9 "$0"; rm -rf "$1"';
  const watcher = spawn("sh", ["-c", script, `${child.pid}`, directory], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.once("exit", () => watcher.kill("SIGKILL"));
}

/** Also a refusal for want of a password is an answer; that it is still reading its data is none. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data: Buffer) => {
      socket.destroy();
      resolve(!data.toString().startsWith("-LOADING"));
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
