import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { endWithUs } from "../support/end-with-us.ts";
import { eventually } from "../support/eventually.ts";

/** `rollcall sim` with more to do than it is given time for, in a group of processes of its own, as a terminal has it. */
class LongSimulation implements AsyncDisposable {
  stdout = "";
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #stderr = "";

  constructor() {
    const words = ["dist/cli/main.js", "sim", "--seeds", "10000000", "--jobs", "1", "--json"];
    this.#child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    endWithUs(this.#child);
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.#closed = once(this.#child, "close");
  }

  /** Until it tells how far it is. */
  async runs(): Promise<void> {
    await eventually(() => this.#stderr.includes("\n"), { withinMs: 40_000, what: () => this.#stderr });
  }

  signal(to: "it alone" | "its whole group", signal: NodeJS.Signals): void {
    const { pid = 0 } = this.#child;
    process.kill(to === "it alone" ? pid : -pid, signal);
  }

  /** The exit code, when nobody holds its output any more. */
  async ended(): Promise<number | null> {
    let isClosed = false;
    void this.#closed.then(() => {
      isClosed = true;
    });
    await eventually(() => isClosed, { withinMs: 20_000 });
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal("it alone", "SIGTERM");
    await this.#closed;
  }
}

test.each(["it alone", "its whole group"] as const)(
  "SIGINT to %s ends the simulator in good order, once: it tells what it has found",
  async (to) => {
    await using simulation = new LongSimulation();
    await simulation.runs();
    simulation.signal(to, "SIGINT");
    expect(await simulation.ended()).toBe(130);
    expect(JSON.parse(simulation.stdout)).toMatchObject({ violations: [] });
  },
);

test.each([
  ["SIGHUP", 129],
  ["SIGTERM", 143],
  ["SIGQUIT", 131],
] as const)("%s to it alone ends the simulator too", async (signal, code) => {
  await using simulation = new LongSimulation();
  await simulation.runs();
  simulation.signal("it alone", signal);
  expect(await simulation.ended()).toBe(code);
});
