import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cancel, Clock } from "../../kernel/clock.ts";
import type { Answers, Asks, CommandKind, NodeSetup, Report, Sighting } from "./protocol.ts";

/** How long a node's process may take to start, and to answer. Generous: the machine may be busy with other things. */
const ANSWER_MS = 60_000;

/** The last warnings and errors of a node that are kept, to be shown if the story fails. */
const KEPT_LINES = 20;

export interface TimedSighting {
  readonly atMs: number;
  readonly sighting: Sighting;
}

/** A node refused what it was asked. `code` is that of the library's error. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    text: string,
  ) {
    super(text);
  }
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly cancel: Cancel;
}

/** One node of the demo, in an OS process of its own: the teller's end of it. */
export class MemberProcess {
  readonly sightings: TimedSighting[] = [];
  readonly stderr: string[] = [];
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  onSighting: ((seen: TimedSighting) => void) | undefined;

  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #alive = true;

  constructor(
    readonly setup: NodeSetup,
    clock: Clock,
  ) {
    this.#clock = clock;
    // Next to this file's folder, compiled or not, as this one is.
    const program = new URL(`../demo-node${extname(import.meta.url)}`, import.meta.url);
    this.#child = fork(fileURLToPath(program), {
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
    this.ready = this.#expect(0);
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", () => {
        this.#alive = false;
        for (const id of [...this.#pending.keys()])
          this.#settle(id)?.reject(new Error(`${this.name} has ended`));
        resolve();
      });
    });
    this.#child.on("message", (report) => this.#take(report as Report));
    this.#child.send(setup);
  }

  get name(): string {
    return this.setup.name;
  }

  get osPid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** @throws Refusal when the node refuses; Error when it ends, or does not answer */
  ask<K extends CommandKind>(kind: K, asks: Asks<K>): Promise<Answers<K>> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = this.#expect(id);
    this.#child.send({ ...asks, kind, id }, (error) => {
      if (error !== null) this.#settle(id)?.reject(error);
    });
    return answer as Promise<Answers<K>>;
  }

  /** As the operating system does it to a process that it takes for too large: no goodbye, no clean-up. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /** Lets it say goodbye; ends it if that takes too long. */
  async stop(patienceMs: number): Promise<void> {
    if (!this.#alive) return;
    const cancel = this.#clock.after(patienceMs, () => this.#child.kill("SIGKILL"));
    // It ends right after it has answered, or has ended before.
    void this.ask("stop", {}).catch(() => this.#child.kill("SIGKILL"));
    await this.ended;
    cancel();
  }

  #expect(id: number): Promise<never> {
    const answer = new Promise<never>((resolve, reject) => {
      const cancel = this.#clock.after(ANSWER_MS, () => {
        this.#settle(id)?.reject(new Error(`${this.name} did not answer within ${ANSWER_MS} ms`));
      });
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, cancel });
    });
    // Whoever waits for it hears of it; when nobody does any more, as after a failed step, it is no crash.
    answer.catch(() => {});
    return answer;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.cancel();
    return pending;
  }

  #take(report: Report): void {
    switch (report.kind) {
      case "ready":
        this.#settle(0)?.resolve(undefined);
        return;
      case "failed":
        this.#settle(0)?.reject(new Error(`${this.name} did not start: ${report.text}`));
        return;
      case "answer":
        this.#settle(report.id)?.resolve(report.value);
        return;
      case "refusal":
        this.#settle(report.id)?.reject(new Refusal(report.code, report.text));
        return;
      case "sighting":
        this.#see({ atMs: report.atMs, sighting: report.sighting });
    }
  }

  #see(seen: TimedSighting): void {
    if (seen.sighting.kind === "log") {
      this.#keep(`${seen.sighting.level}: ${seen.sighting.text}`);
      return;
    }
    this.sightings.push(seen);
    this.onSighting?.(seen);
  }

  #keep(text: string): void {
    this.stderr.push(...text.split("\n").filter((line) => line !== ""));
    this.stderr.splice(0, this.stderr.length - KEPT_LINES);
  }
}
