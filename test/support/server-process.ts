import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWithUs } from "./end-with-us.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

const LOG_LENGTH = 20_000;
const START_MS = 10_000;

/** Where a server runs: a loopback port, and a directory that is gone when it is. */
export interface ServerPlace {
  readonly port: number;
  readonly directory: string;
}

export async function placeFor(program: string, port?: number): Promise<ServerPlace> {
  const directory = await mkdtemp(join(tmpdir(), `rollcall-${program}-`));
  return { port: port ?? (await freePort()), directory };
}

/** The OS process of one real server, which may be killed and started again. It ends with its disposal, or with this process. */
export abstract class ServerProcess implements AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  #child: ChildProcess | undefined;
  #log = "";

  protected constructor({ directory, port }: ServerPlace) {
    this.port = port;
    this.directory = directory;
  }

  /** What starts it. */
  protected abstract command(configFile: string): readonly [program: string, ...args: string[]];

  protected abstract configuration(config: string): readonly string[];

  /** One look whether it does what it is there for. */
  protected abstract answers(): Promise<boolean>;

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get log(): string {
    return this.#log;
  }

  /** Writes the configuration: these lines beside those that it needs. The next `run()` makes it count. */
  async configure(config: string): Promise<void> {
    await writeFile(this.#configFile(), `${this.configuration(config).join("\n")}\n`);
  }

  /** Starts the process again after `kill()`, on the same port, and waits until it answers. */
  async run(): Promise<void> {
    const [program, ...args] = this.command(this.#configFile());
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let failure: Error | undefined;
    child.once("error", (error) => {
      failure = error;
    });
    this.#child = child;
    endWithUs(child, this.directory);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-LOG_LENGTH);
      });
    }
    await eventually(
      () => {
        if (failure !== undefined) throw failure;
        if (hasEnded(child)) throw new Error(`${program} ended: ${this.#log}`);
        return this.answers();
      },
      { withinMs: START_MS, what: () => this.#log },
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the process at once, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || hasEnded(child)) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Configured, and running; or nothing is left of it. */
  protected async begin(config = ""): Promise<this> {
    try {
      await this.configure(config);
      await this.run();
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  #configFile(): string {
    return join(this.directory, "server.conf");
  }
}

/** The first thing that a server on a loopback port says; undefined if it takes no connection, or hangs up without a word. */
export function firstWord(port: number, say?: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    if (say !== undefined) socket.once("connect", () => socket.write(say));
    socket.once("data", (data: Buffer) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once("error", () => resolve(undefined));
    socket.once("close", () => resolve(undefined));
  });
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
