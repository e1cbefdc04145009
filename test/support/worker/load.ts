import { type ClusterNode, type Pid, type Process, RollcallError } from "../../../src/index.ts";

/** Registrations under way at once. */
const AT_ONCE = 8;
const GROUPS = 4;
/** Every so many members, one of the earlier ones ends. */
const EXIT_EVERY = 5;

export interface LoadReport {
  /** Name → the process it was registered for, as it was when the call resolved. */
  readonly registered: Readonly<Record<string, Pid>>;
  /** How often each error came instead, by its code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Group → this node's own members, as they joined and did not end. */
  readonly joined: Readonly<Record<string, readonly Pid[]>>;
}

/** Registers names of its own and joins groups, as fast as it is answered, until it is told to stop. */
export class Load {
  readonly #node: ClusterNode;
  readonly #prefix: string;
  readonly #holder: Process;
  readonly #registered: Record<string, Pid> = {};
  readonly #refused: Record<string, number> = {};
  readonly #members: { readonly group: string; readonly process: Process }[] = [];
  readonly #under: readonly Promise<void>[];
  #names = 0;
  #stopped = false;

  constructor(node: ClusterNode, prefix: string) {
    this.#node = node;
    this.#prefix = prefix;
    this.#holder = node.spawn();
    this.#under = Array.from({ length: AT_ONCE }, () => this.#go());
  }

  /** How many names it has so far. */
  get progress(): number {
    return Object.keys(this.#registered).length;
  }

  async end(): Promise<LoadReport> {
    this.#stopped = true;
    await Promise.all(this.#under);
    const joined: Record<string, Pid[]> = {};
    for (const { group, process } of this.#members) {
      joined[group] ??= [];
      if (!process.signal.aborted) joined[group].push(process.pid);
    }
    return { registered: this.#registered, refused: this.#refused, joined };
  }

  async #go(): Promise<void> {
    while (!this.#stopped) {
      this.#names += 1;
      const name = `${this.#prefix}-${this.#names}`;
      this.#joinOne(this.#names);
      try {
        const { pid } = await this.#node.names.register(name, this.#holder);
        this.#registered[name] = pid;
      } catch (error) {
        const code = error instanceof RollcallError ? error.code : String(error);
        this.#refused[code] = (this.#refused[code] ?? 0) + 1;
      }
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }
  }

  #joinOne(index: number): void {
    const group = `crowd-${index % GROUPS}`;
    const process = this.#node.spawn();
    this.#node.groups.join(group, process);
    this.#members.push({ group, process });
    if (index % EXIT_EVERY === 0) this.#members[Math.floor(index / 2)]?.process.exit();
  }
}
