import { type Contestant, type ItemBytes, PLACES, type Round } from "./contest.ts";
import type { Command, Done, Setup, Step } from "./protocol.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface CrewOptions extends Omit<Setup, "kind" | "index"> {
  readonly program: string;
  /** For Node itself, in the worker with this index. */
  nodeOptions(index: number): readonly string[];
}

/** What came of one round of one contestant. */
export interface Lap extends Span {
  readonly sent: ItemBytes;
}

/** In milliseconds since the machine started, on the clock of the timestamps in a CPU profile. */
export interface Span {
  readonly beganMs: number;
  readonly endedMs: number;
}

/** The processes of one contest. */
export class Crew implements AsyncDisposable {
  readonly #workers: readonly WorkerProcess[];

  private constructor(workers: readonly WorkerProcess[]) {
    this.#workers = workers;
  }

  static async start({ program, nodeOptions, ...shared }: CrewOptions): Promise<Crew> {
    const starts = await Promise.allSettled(
      Array.from({ length: PLACES }, (_, index) =>
        WorkerProcess.start(program, { kind: "setup", index, ...shared }, nodeOptions(index)),
      ),
    );
    const crew = new Crew(starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : [])));
    const failed = starts.find((start) => start.status === "rejected");
    if (failed === undefined) return crew;
    await crew[Symbol.asyncDispose]();
    throw failed.reason;
  }

  async open(contestant: Contestant): Promise<void> {
    await this.#askAll({ kind: "open", contestant: contestant.name });
  }

  /** One round of one contestant: from the moment its sender begins, until the last process has everything. */
  async race(contestant: Contestant, round: Round): Promise<Lap> {
    const command = (step: Step): Command => ({ kind: "step", contestant: contestant.name, step, round });
    await this.#askAll(command("prepare"));
    const arriving = this.#askAll(command("arrived"));
    const [sending, arrived] = await Promise.all([this.#sender.ask(command("send")), arriving]);
    // Only now: a node sends what it has written at the end of a turn, when it shows it itself already.
    const { sent } = await this.#sender.ask({ kind: "tally" });
    await this.#askAll(command("clear"));
    const endedMs = Math.max(...[sending, ...arrived].map((done) => done.endedMs));
    return { beganMs: sending.beganMs, endedMs, sent };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker[Symbol.asyncDispose]()));
  }

  get #sender(): WorkerProcess {
    const [sender] = this.#workers;
    if (sender === undefined) throw new Error("a crew has at least one worker");
    return sender;
  }

  #askAll(command: Command): Promise<readonly Done[]> {
    return Promise.all(this.#workers.map((worker) => worker.ask(command)));
  }
}
