import { type ChildProcess, fork } from "node:child_process";
import type { Command, Done, Report, Request, Setup } from "./protocol.ts";

/** How long any step may take. Far above what one takes on a busy machine: only what hangs is given up. */
const PATIENCE_MS = 120_000;

interface Pending {
  resolve(done: Done): void;
  reject(error: Error): void;
}

/** One process of a contest: the bench's end of it. */
export class WorkerProcess implements AsyncDisposable {
  readonly #setup: Setup;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #ready: { resolve(): void; reject(error: Error): void } | undefined;
  #lastId = 0;

  private constructor(program: string, setup: Setup, nodeOptions: readonly string[]) {
    this.#setup = setup;
    this.#child = fork(program, {
      execArgv: ["--expose-gc", ...nodeOptions],
      // What it prints goes where messages go: standard output is for the figures.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    const end = (): void => void this.#child.kill("SIGKILL");
    process.once("exit", end);
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        process.off("exit", end);
        this.#failAll(new Error(`worker ${setup.index} ended, ${signal ?? `code ${code}`}`));
        resolve();
      });
    });
    this.#child.once("error", (error) => this.#failAll(error));
    this.#child.on("message", (report) => this.#take(report as Report));
  }

  /** Resolves when its node is up and its client connected. */
  static async start(program: string, setup: Setup, nodeOptions: readonly string[]): Promise<WorkerProcess> {
    const worker = new WorkerProcess(program, setup, nodeOptions);
    try {
      const ready = new Promise<void>((resolve, reject) => {
        worker.#ready = { resolve, reject };
      });
      worker.#send(setup);
      await worker.#patiently(ready, "start");
      return worker;
    } catch (error) {
      await worker[Symbol.asyncDispose]();
      throw error;
    }
  }

  async ask(command: Command): Promise<Done> {
    this.#lastId += 1;
    const id = this.#lastId;
    const done = new Promise<Done>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#send({ ...command, id });
    return this.#patiently(done, command.kind === "step" ? command.step : command.kind);
  }

  /** In good order, so that a CPU profile is written. */
  async stop(): Promise<void> {
    await this.ask({ kind: "stop" });
    await this.#patiently(this.#ended, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    if (this.#child.pid !== undefined) await this.#ended;
  }

  #send(request: Request): void {
    this.#child.send(request, (error) => {
      if (error !== null) this.#failAll(error);
    });
  }

  #take(report: Report): void {
    switch (report.kind) {
      case "ready":
        this.#ready?.resolve();
        return;
      case "done":
        this.#pending.get(report.id)?.resolve(report.done);
        this.#pending.delete(report.id);
        return;
      case "failed": {
        const error = new Error(`worker ${this.#setup.index}: ${report.text}`);
        if (report.id === undefined) this.#ready?.reject(error);
        else this.#pending.get(report.id)?.reject(error);
      }
    }
  }

  #failAll(error: Error): void {
    this.#ready?.reject(error);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  async #patiently<T>(promise: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      const text = `worker ${this.#setup.index} has not done ${JSON.stringify(what)} within ${PATIENCE_MS} ms`;
      timer = setTimeout(() => reject(new Error(text)), PATIENCE_MS);
    });
    try {
      return await Promise.race([promise, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}
