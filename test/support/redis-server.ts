import { Redis } from "ioredis";
import { firstWord, placeFor, type ServerPlace, ServerProcess } from "./server-process.ts";

export interface RedisServerOptions {
  /** More lines of the server's configuration. The last line of a kind counts. */
  readonly config?: string;
  readonly port?: number;
  /** For `ask`, when the configuration wants one. */
  readonly password?: string;
}

/** One real redis-server on a loopback port, which keeps nothing on disk unless it is configured to. */
export class RedisServer extends ServerProcess {
  readonly #password: string | undefined;

  private constructor(place: ServerPlace, password: string | undefined) {
    super(place);
    this.#password = password;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await placeFor("redis", options.port), options.password);
    return server.begin(options.config);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
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

  protected override command(configFile: string): readonly [string, ...string[]] {
    return ["redis-server", configFile];
  }

  protected override configuration(config: string): readonly string[] {
    return [
      "bind 127.0.0.1",
      `port ${this.port}`,
      `dir ${this.directory}`,
      'save ""',
      "appendonly no",
      config,
    ];
  }

  /** Also a refusal for want of a password is an answer; that it is still reading its data is none. */
  protected override async answers(): Promise<boolean> {
    const word = await firstWord(this.port, "PING\r\n");
    return word !== undefined && !word.startsWith("-LOADING");
  }
}
