import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { endWithUs } from "./end-with-us.ts";
import { eventually } from "./eventually.ts";

export interface ServeOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
}

/** `rollcall serve`, as it is built, in an OS process of its own. */
export class ServiceProcess implements AsyncDisposable {
  url = "";
  output = "";
  readonly #child: ChildProcess;

  private constructor({ env, flags = [] }: ServeOptions) {
    const words = ["dist/cli/main.js", "serve", "--port", "0", ...flags];
    const { HOME = "", PATH = "" } = process.env;
    this.#child = spawn(process.execPath, words, {
      env: { HOME, PATH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    endWithUs(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (data: Buffer) => {
        this.output += data.toString();
      });
  }

  static async start(options: ServeOptions): Promise<ServiceProcess> {
    const started = new ServiceProcess(options);
    try {
      await eventually(
        () => {
          if (started.hasEnded) throw new Error(`serve has ended: ${started.output}`);
          started.url = /serves (http:\S+)/.exec(started.output)?.[1] ?? "";
          return started.url !== "";
        },
        { withinMs: 30_000 },
      );
    } catch (error) {
      await started.kill();
      throw error;
    }
    return started;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code, or the signal that ended it. */
  async ended(): Promise<number | string | null> {
    if (!this.hasEnded) await once(this.#child, "exit");
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
