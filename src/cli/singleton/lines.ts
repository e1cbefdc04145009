import { type ClusterNode, NameTakenError, type Process, type Scope, TimeoutError } from "../../index.ts";
import { realClock } from "../../node/real-clock.ts";

/** A name that a runner was granted. */
export interface Holding {
  /** Of a strict name. */
  readonly token: bigint | undefined;
  /** Aborted when it is not held any more, by whatever cause. */
  readonly lost: AbortSignal;
  /** For how long a command may go on at most if nothing more is heard of this process; 0: not at all. */
  remainingMs(): number;
  release(): Promise<void>;
}

/** How a runner comes by its name. */
export interface Line {
  /** Rejects when the name cannot be had, and when the signal aborts. */
  stand(process: Process, signal: AbortSignal): Promise<Holding>;
}

export interface LineOptions {
  readonly node: ClusterNode;
  readonly scope: Pick<Scope, "names" | "strictNames">;
  readonly name: string;
  readonly meta: unknown;
  readonly waits: boolean;
  /** What it waits for, told once each. */
  say(text: string): void;
}

/** As long as a wait can be: whoever stands in line does so until told otherwise. */
const FOR_EVER_MS = 2_147_483_647;
/** How often somebody who stands in line is looked after. */
const LOOK_EVERY_MS = 3_000;
/**
 * A node that is silent for 8 s is taken for dead, counted from its last heartbeat, which it sends each second: then its names can
 * be had. So a runner that hangs has its command ended after less.
 */
const ALIVE_MS = 6_000;

export class StrictLine implements Line {
  readonly #options: LineOptions;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  async stand(process: Process, signal: AbortSignal): Promise<Holding> {
    const { meta, name, scope, waits } = this.#options;
    const wait = waits ? { wait: true, timeoutMs: FOR_EVER_MS } : {};
    const stopTelling = waits ? this.#tellWhy() : () => undefined;
    try {
      const lease = await scope.strictNames.register(name, process, { meta, signal, ...wait });
      return {
        token: lease.token,
        lost: lease.signal,
        remainingMs: () => lease.remainingMs(),
        release: () => lease.release(),
      };
    } finally {
      stopTelling();
    }
  }

  /** Somebody who waits for servers that are not there would wait for ever, and not know what for. */
  #tellWhy(): () => void {
    const { name, node, say, scope } = this.#options;
    let told = "";
    let cancel = (): void => undefined;
    const look = (): void => {
      const { needed, reached, servers } = node.stats().leases;
      const holder = scope.strictNames.whereis(name);
      const why =
        reached < needed
          ? `${reached} of ${servers} lease servers take part, ${needed} are needed`
          : `it is held by ${holder?.pid ?? "somebody else"}`;
      if (why !== told) say(`waiting for ${JSON.stringify(name)}: ${why}`);
      told = why;
      cancel = realClock.after(LOOK_EVERY_MS, look);
    };
    cancel = realClock.after(LOOK_EVERY_MS / 3, look);
    return () => cancel();
  }
}

export class AvailableLine implements Line {
  readonly #options: LineOptions;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  async stand(process: Process, signal: AbortSignal): Promise<Holding> {
    const { meta, name, scope, waits } = this.#options;
    for (;;) {
      try {
        await scope.names.register(name, process, { meta, signal });
        return this.#hold(process);
      } catch (error) {
        const isForNow = error instanceof NameTakenError || error instanceof TimeoutError;
        if (!waits || !isForNow || signal.aborted) throw error;
        if (error instanceof NameTakenError) await this.#untilFree(error, signal);
      }
    }
  }

  async #untilFree({ holder }: NameTakenError, signal: AbortSignal): Promise<void> {
    const { name, say, scope } = this.#options;
    say(`waiting for ${JSON.stringify(name)}: it is held by ${holder}`);
    // Who was refused because of a registration may not have heard of it yet.
    await scope.names.waitFor(name, { timeoutMs: LOOK_EVERY_MS, signal }).catch(() => undefined);
    for await (const _ of scope.names.watch(name, { signal })) {
      if (scope.names.whereis(name) === undefined) return;
    }
  }

  #hold(process: Process): Holding {
    const { name, scope } = this.#options;
    const lost = new AbortController();
    const watching = new AbortController();
    void process.exited.then(() => lost.abort());
    void (async () => {
      for await (const _ of scope.names.watch(name, { signal: watching.signal })) {
        // A clash, a takeover, or somebody who has freed it: whatever it was, it is not ours any more.
        if (scope.names.whereis(name)?.pid !== process.pid) lost.abort();
      }
    })().catch(() => lost.abort());
    return {
      token: undefined,
      lost: lost.signal,
      // Also when it was lost: that is said besides, and the command may take its time to end.
      remainingMs: () => ALIVE_MS,
      release: async () => {
        watching.abort();
        await scope.names.unregister(name, { pid: process }).catch(() => undefined);
      },
    };
  }
}
