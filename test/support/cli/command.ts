import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../end-with-us.ts";
import { eventually } from "../eventually.ts";

/** What was built: with sources to be compiled first, a watchdog would take longer to begin than some leases last. */
const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
/** Variables that would reach the commands under test from whoever runs the tests. */
const FOREIGN = /^(?:ROLLCALL_|NATS_|REDIS_URLS$|LOG_LEVEL$)/;

export type Variables = Readonly<Record<string, string>>;

/** `rollcall …`, in an OS process of its own. It ends with its disposal, or with this process. */
export class Cli implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(words: readonly string[], variables: Variables = {}) {
    const ours = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
    this.child = spawn(process.execPath, [MAIN, ...words], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...Object.fromEntries(ours), ...variables },
    });
    endWithUs(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#closed = once(this.child, "close");
  }

  get lines(): readonly string[] {
    return this.stdout.split("\n").slice(0, -1);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The exit code, when all that it wrote has been read too. */
  async ended(): Promise<number | null> {
    await this.#closed;
    return this.child.exitCode;
  }

  async says(words: string | RegExp, withinMs = 20_000): Promise<void> {
    const isThere = (): boolean =>
      typeof words === "string"
        ? (this.stdout + this.stderr).includes(words)
        : words.test(this.stdout + this.stderr);
    await eventually(isThere, { withinMs, what: () => `${words} in ${this.stdout}${this.stderr}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.hasEnded) return;
    const exited = once(this.child, "exit");
    this.signal("SIGKILL");
    await exited;
  }
}

/** Runs one to its end. */
export async function rollcall(
  words: readonly string[],
  variables: Variables = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await using cli = new Cli(words, variables);
  const code = await cli.ended();
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}
