import type { ClusterNode, Lease, Process } from "../../../src/index.ts";
import { NameTakenError } from "../../../src/index.ts";
import { fraction, type Random, SeededRandom } from "../../../src/kernel/random.ts";
import { machineMs, type Note, WitnessClient } from "./witness-client.ts";

export interface StrictWorkOptions {
  /** Port of the witness. */
  readonly witness: number;
  readonly names: readonly string[];
  readonly seed: string;
  /** A release that took less was taken note of by a majority, which is told by nothing else. */
  readonly sureMs: number;
}

/** How long a name is held: mostly for so long at most, and one time in five for up to the second. */
const HOLD_MS = { short: 60, long: 2_000 } as const;
/** Between two writes of a holder, and between two lookups of a name. */
const WRITE_EVERY_MS = 10;
const LOOK_EVERY_MS = 60;
/** Before somebody whose attempt came to nothing tries again. */
const RETRY_MS = 40;
const TIMES = { register: 8_000, atOnce: 2_000, lookup: 2_000, call: 10_000 } as const;

/**
 * Has processes of one node contend for names, one per name: each holds it for a while, writes to the witness as long as it
 * believes that it does, and gives it back in one way or another. Besides, names are looked up.
 */
export class StrictWork {
  readonly #node: ClusterNode;
  readonly #witness: WitnessClient;
  readonly #sureMs: number;
  readonly #ending = new AbortController();
  readonly #loops: readonly Promise<void>[];
  /** How many names are held. */
  #holding = 0;
  #isKeeping = false;
  #lastId = 0;

  private constructor(node: ClusterNode, witness: WitnessClient, { names, seed, sureMs }: StrictWorkOptions) {
    this.#node = node;
    this.#witness = witness;
    this.#sureMs = sureMs;
    this.#loops = names.flatMap((name) => [
      this.#contend(name, new SeededRandom(`${seed} ${node.id} ${name}`)),
      this.#lookAtIt(name),
    ]);
  }

  static async begin(node: ClusterNode, options: StrictWorkOptions): Promise<StrictWork> {
    return new StrictWork(node, await WitnessClient.connect(options.witness), options);
  }

  /** From here on gives nothing back that it is granted. Resolves when it holds so many names, or the time is over. */
  async keep(names: number, withinMs: number): Promise<void> {
    this.#isKeeping = true;
    const endsMs = machineMs() + withinMs;
    while (this.#holding < names && machineMs() < endsMs) await pause(WRITE_EVERY_MS);
  }

  /** Goes on as before `keep`. */
  letGo(): void {
    this.#isKeeping = false;
  }

  /** Gives everything back. Resolves when all is done and told. */
  async end(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#loops);
    this.#witness.close();
  }

  get #isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  async #contend(name: string, random: Random): Promise<void> {
    while (!this.#isEnding) {
      let lease: Lease | undefined;
      const process = this.#node.spawn((_message, { self }) => this.#write(name, lease, self));
      lease = await this.#register(name, process, random);
      if (lease === undefined) await pause(RETRY_MS * fraction(random));
      else {
        this.#holding += 1;
        await this.#hold(name, lease, random);
        this.#holding -= 1;
      }
      // Whoever ends gives back what it holds.
      process.exit();
    }
  }

  async #register(name: string, process: Process, random: Random): Promise<Lease | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    const wait = fraction(random) < 0.9;
    const onLost = fraction(random) < 0.5 ? "exit" : "notify";
    const timeoutMs = wait ? TIMES.register : TIMES.atOnce;
    this.#note(name, { kind: "asks", id, pid: process.pid, atMs: machineMs() });
    try {
      const { signal } = this.#ending;
      const lease = await this.#node.strictNames.register(name, process, { wait, onLost, timeoutMs, signal });
      const token = Number(lease.token);
      this.#note(name, { kind: "granted", id, token, atMs: machineMs() });
      lease.signal.addEventListener("abort", () => {
        this.#note(name, { kind: "aborted", token, isHeld: lease.isHeld(), atMs: machineMs() });
      });
      this.#look(name, lease);
      return lease;
    } catch (error) {
      const atMs = machineMs();
      if (error instanceof NameTakenError) this.#note(name, { kind: "taken", id, by: error.holder, atMs });
      else this.#note(name, { kind: "failed", id, code: String(error), atMs });
      return undefined;
    }
  }

  async #hold(name: string, lease: Lease, random: Random): Promise<void> {
    const holdMs = (fraction(random) < 0.2 ? HOLD_MS.long : HOLD_MS.short) * fraction(random);
    const endsMs = machineMs() + holdMs;
    const isToHold = (): boolean => !this.#isEnding && (this.#isKeeping || machineMs() < endsMs);
    while (isToHold() && (await this.#callToWrite(lease))) await pause(WRITE_EVERY_MS * 2 * fraction(random));
    const beganMs = machineMs();
    if (!lease.isHeld()) return;
    const token = Number(lease.token);
    this.#note(name, { kind: "releases", token, atMs: beganMs });
    // Else its process ends.
    if (fraction(random) < 0.2) return;
    const isFar = lease.remainingMs() > this.#sureMs;
    await lease.release();
    const endedMs = machineMs();
    // One that takes longer resolves whether the servers have taken note or not; and so does that of a lease that has run out.
    if (isFar && endedMs - beganMs < this.#sureMs)
      this.#note(name, { kind: "released", token, atMs: endedMs });
  }

  async #callToWrite(lease: Lease): Promise<boolean> {
    try {
      return await this.#node.call<boolean>(lease.pid, "write", { timeoutMs: TIMES.call });
    } catch {
      // It was ended, because it has lost the name.
      return false;
    }
  }

  /** In a handler: what a process does with what the name protects. */
  async #write(name: string, lease: Lease | undefined, self: Process): Promise<boolean> {
    if (lease === undefined || !this.#look(name, lease)) return false;
    const token = Number(lease.token);
    const isTaken = await this.#witness.write(name, token);
    if (isTaken) return !self.signal.aborted;
    this.#note(name, { kind: "refused", token, isHeld: lease.isHeld(), atMs: machineMs() });
    return false;
  }

  /** Tells what the lease says of itself now. */
  #look(name: string, lease: Lease): boolean {
    const token = Number(lease.token);
    const fromMs = machineMs();
    const { aborted } = lease.signal;
    const isHeld = lease.isHeld();
    const toMs = machineMs();
    if (!aborted) this.#note(name, { kind: "held", by: "signal", token, fromMs, toMs });
    if (isHeld) this.#note(name, { kind: "held", by: "isHeld", token, fromMs, toMs });
    return isHeld;
  }

  async #lookAtIt(name: string): Promise<void> {
    while (!this.#isEnding) {
      const fromMs = machineMs();
      try {
        const { signal } = this.#ending;
        const holder = await this.#node.strictNames.lookup(name, { timeoutMs: TIMES.lookup, signal });
        const span = { fromMs, toMs: machineMs() };
        if (holder === undefined) this.#note(name, { kind: "free", ...span });
        else this.#note(name, { kind: "found", pid: holder.pid, token: Number(holder.token), ...span });
      } catch {
        // Nobody can tell now.
      }
      await pause(LOOK_EVERY_MS);
    }
  }

  #note(name: string, note: Note): void {
    this.#witness.note(name, note);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
