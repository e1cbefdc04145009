import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { endWithUs } from "./end-with-us.ts";
import { eventually } from "./eventually.ts";
import type { NodeCommands } from "./worker/node-commands.ts";
import type { Ask, Remote, Report, TimedSighting, ToldError } from "./worker/protocol.ts";
import type { ScopeCommands } from "./worker/scope-commands.ts";
import type { StrictCommands } from "./worker/strict-commands.ts";

/** Far above what any command takes on a busy machine: only a real hang fails. */
const ANSWER_MS = 45_000;
const PROGRAM = fileURLToPath(new URL("./worker.ts", import.meta.url));

export type SightingKind = TimedSighting["kind"];
export type SeenAs<K extends SightingKind> = Extract<TimedSighting, { readonly kind: K }>;

/** A worker refused a command: the fields of the error that its node gave are on it. */
export class Refusal extends Error {
  constructor(told: ToldError) {
    super(told.message);
    Object.assign(this, told);
  }
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

/** One OS process with one node: the test's end of it. Ends with its disposal, or with this process. */
export class Worker implements AsyncDisposable {
  readonly name: string;
  /** What it saw, in the order in which it told. */
  readonly sightings: TimedSighting[] = [];
  /** Commands to its node, and to the default scope. */
  readonly node: Remote<NodeCommands & ScopeCommands & StrictCommands>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #booted: Promise<void>;
  #lastId = 0;
  #stderr = "";

  constructor(name: string) {
    this.name = name;
    const child = fork(PROGRAM, {
      execArgv: ["--import", "tsx"],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    // It ends by itself when the channel closes, but not while it is stopped.
    endWithUs(child);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-10_000);
    });
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        for (const id of [...this.#pending.keys()])
          this.#settle(id)?.reject(new Error(`worker ${name} has ended: ${this.#stderr}`));
        resolve({ code, signal });
      });
    });
    this.#booted = this.#expect(0) as Promise<void>;
    child.on("message", (message) => this.#take(message as Report));
    this.node = this.in(undefined) as Remote<NodeCommands & ScopeCommands & StrictCommands>;
  }

  get osPid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it wrote to its standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when it takes commands. */
  get booted(): Promise<void> {
    return this.#booted;
  }

  /** Commands to a scope that it has opened. */
  in(scope: string | undefined): Remote<ScopeCommands> {
    return new Proxy({} as Remote<ScopeCommands>, {
      get: (_target, method) =>
        typeof method === "string" && method !== "then"
          ? (...args: unknown[]) => this.#ask(scope, method, args)
          : undefined,
    });
  }

  seen<K extends SightingKind>(kind: K, holds: (seen: SeenAs<K>) => boolean = () => true): SeenAs<K>[] {
    return this.sightings.filter((seen): seen is SeenAs<K> => seen.kind === kind && holds(seen as SeenAs<K>));
  }

  /** Waits until it has seen such a thing, and returns the first. */
  async saw<K extends SightingKind>(
    kind: K,
    holds: (seen: SeenAs<K>) => boolean = () => true,
    withinMs = 20_000,
  ): Promise<SeenAs<K>> {
    const find = (): SeenAs<K> | undefined => this.seen(kind, holds)[0];
    await eventually(() => find() !== undefined, {
      withinMs,
      what: () => `${this.name} saw no ${kind} with ${holds}, but ${this.#latest()}`,
    });
    const seen = find();
    if (seen === undefined) throw new Error("seen, then not");
    return seen;
  }

  /** Forgets what it saw so far. */
  forget(): void {
    this.sightings.length = 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** As the operating system does it: no goodbye. Returns the moment of the signal, in wall time. */
  async kill(): Promise<number> {
    const atMs = Date.now();
    this.signal("SIGKILL");
    await this.ended;
    return atMs;
  }

  /** Lets go of it: it must end by itself, if nothing keeps it. */
  finish(): void {
    this.#child.send({ id: 0, scope: undefined, method: "finish", args: [] } satisfies Ask);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  #ask(scope: string | undefined, method: string, args: readonly unknown[]): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = this.#expect(id, method);
    this.#child.send({ id, scope, method, args } satisfies Ask, (error) => {
      if (error !== null) this.#settle(id)?.reject(error);
    });
    return answer;
  }

  #expect(id: number, what = "its start"): Promise<unknown> {
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#settle(id)?.reject(new Error(`worker ${this.name} did not answer ${what}: ${this.#stderr}`));
      }, ANSWER_MS);
      this.#pending.set(id, { resolve, reject, timer });
    });
    // A test that ends early leaves some of them behind: that is no crash.
    answer.catch(() => {});
    return answer;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }

  #take(message: Report): void {
    switch (message.kind) {
      case "booted":
        this.#settle(0)?.resolve(undefined);
        return;
      case "answer":
        this.#settle(message.id)?.resolve(message.value);
        return;
      case "refusal":
        this.#settle(message.id)?.reject(new Refusal(message.error));
        return;
      case "sighting":
        this.sightings.push(message.sighting);
    }
  }

  #latest(): string {
    const latest = this.sightings.slice(-15).map((seen) => JSON.stringify(seen).slice(0, 400));
    return `${latest.join("\n")}\n${this.#stderr}`;
  }
}
