import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Options } from "./options.ts";

/** What a site says, to the process that started it. */
type Word =
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly problem: string };

/** How long a node may take to leave in good order. */
const END_MS = 5_000;

const SCRIPT = fileURLToPath(new URL("./site-process.ts", import.meta.url));

/** A node with its web server, in a process of its own. */
export class SiteChild implements AsyncDisposable {
  readonly name: string;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;

  constructor(name: string, port: number, { busPort, cluster, host }: Options) {
    this.name = name;
    this.#child = fork(SCRIPT, [name, host, `${port}`, `${busPort}`, cluster], {
      execArgv: process.execArgv,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.gone = new Promise((resolve) => this.#child.once("exit", () => resolve()));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The port that it has got. Rejects, with what a person can do, if it cannot start. */
  async listening(): Promise<number> {
    const word = await this.#next();
    return word.kind === "listening" ? word.port : 0;
  }

  /** Tells it where all of them are found, upon which it joins the cluster. Rejects as `listening`. */
  async begin(ports: readonly number[]): Promise<void> {
    const ready = this.#next();
    // Whether it gets there is told by what it says next.
    this.#child.send({ ports }, () => undefined);
    await ready;
  }

  /** It says goodbye to the cluster first, unless that takes too long. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => {
      console.error(`${this.name} did not end in time, and was killed`);
      this.#child.kill("SIGKILL");
    }, END_MS);
    await this.gone;
    clearTimeout(timer);
  }

  #next(): Promise<Word> {
    return new Promise((resolve, reject) => {
      this.#child.once("message", (word: Word) => {
        if (word.kind === "failed") reject(new Error(word.problem));
        else resolve(word);
      });
      void this.gone.then(() => reject(new Error(`${this.name} could not start`)));
    });
  }
}
