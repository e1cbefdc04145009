import { type ChildProcess, spawn } from "node:child_process";
import { endWithUs } from "./end-with-us.ts";
import { eventually } from "./eventually.ts";

const MAIN = "examples/phoenix-like-pubsub/main.ts";
const START_MS = 60_000;
const END_MS = 20_000;

/** The example, as a user runs it: `main.ts` in a process of its own, with those of its nodes below it. */
export class Talk implements AsyncDisposable {
  output = "";
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  private constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const { NATS_URL: _others, ...own } = process.env;
    this.#child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
      env: { ...own, TSX_TSCONFIG_PATH: "tsconfig.build.json", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    endWithUs(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (data: Buffer) => {
        this.output += data.toString();
      });
    this.#gone = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  /** It runs, and says where. */
  static async start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Talk> {
    const talk = new Talk(args, env);
    await talk.says(/Ctrl-C ends (all|it)\./, START_MS);
    return talk;
  }

  /** It cannot start: what it says, and its exit code. */
  static async fail(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const talk = new Talk(args, env);
    await talk.#gone;
    return { code: talk.exitCode, output: talk.output };
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  async says(what: RegExp, withinMs = END_MS): Promise<void> {
    const isSaid = (): boolean => what.test(this.output) || this.exitCode !== null;
    await eventually(isSaid, { withinMs, what: () => this.output });
    if (!what.test(this.output)) throw new Error(`it ended, and said ${this.output}`);
  }

  /** The address of a node, and its process. */
  node(name: string): { readonly url: string; readonly pid: number } {
    const [, url, pid] = new RegExp(`${name} +(\\S+) .*process (\\d+)`).exec(this.output) ?? [];
    if (url === undefined) throw new Error(`there is no ${name} in ${this.output}`);
    return { url, pid: Number(pid) };
  }

  /** As Ctrl-C, or a service manager, ends it. */
  async end(): Promise<number | null> {
    if (this.exitCode === null) this.#child.kill("SIGTERM");
    await this.#gone;
    return this.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
