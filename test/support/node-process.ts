import { type ChildProcess, spawn } from "node:child_process";
import { endWithUs } from "./end-with-us.ts";
import { eventually } from "./eventually.ts";

/** Other fields than these depend on the kind. */
export interface ProcessEvent {
  readonly at: number;
  readonly kind: string;
  readonly serverId?: string;
  readonly clientName?: string;
  readonly hosting?: boolean;
  readonly [field: string]: unknown;
}

/** A child process that runs a TypeScript file and writes JSON lines. It ends with its disposal, or with this process. */
export class NodeProcess implements AsyncDisposable {
  readonly events: ProcessEvent[] = [];
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #errors = "";

  constructor(name: string, script: URL, parameters: readonly string[]) {
    this.name = name;
    const child = spawn(process.execPath, ["--import", "tsx", script.pathname, ...parameters], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    endWithUs(child);
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => resolve());
    });
    let rest = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.events.push(JSON.parse(line));
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  exited(): Promise<void> {
    return this.#exited;
  }

  /** Waits for an event of this kind whose other fields are as given, and returns it. */
  async saw(
    kind: string,
    fields: Readonly<Record<string, unknown>> = {},
    withinMs = 10_000,
  ): Promise<ProcessEvent> {
    const find = (): ProcessEvent | undefined =>
      this.events.find(
        (event) =>
          event.kind === kind && Object.entries(fields).every(([key, value]) => event[key] === value),
      );
    await eventually(() => find() !== undefined, {
      withinMs,
      what: () => `${this.name} saw ${JSON.stringify(this.events.slice(-20))} ${this.#errors.slice(-2_000)}`,
    });
    const event = find();
    if (event === undefined) throw new Error("found, then not");
    return event;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.#exited;
  }
}
