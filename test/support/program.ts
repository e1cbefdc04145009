import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

/** A program that runs as a reader would run it: in an OS process of its own, importing the built package by its name. */
export class Program {
  output = "";
  exitCode: number | null | undefined;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(file: string, ...words: string[]) {
    this.#child = spawn(process.execPath, [file, ...words]);
    this.#child.stdout.on("data", (data: Buffer) => {
      this.output += data.toString();
    });
    this.#child.stderr.on("data", (data: Buffer) => {
      this.output += data.toString();
    });
    this.#child.on("exit", (code) => {
      this.exitCode = code;
    });
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  close(): void {
    this.#child.stdin.end();
  }

  async says(words: string): Promise<void> {
    await eventually(() => this.output.includes(words), { withinMs: 20_000 });
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Programs in a folder of their own, inside the package, where its name resolves to what was built. */
export class Programs {
  readonly folder: string;
  readonly #programs: Program[] = [];

  constructor(what: string) {
    mkdirSync(".tmp", { recursive: true });
    this.folder = mkdtempSync(join(".tmp", `${what}-`));
  }

  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  run(name: string, code: string, ...words: string[]): Program {
    const program = new Program(this.write(`${name}.mjs`, code), ...words);
    this.#programs.push(program);
    return program;
  }

  end(): void {
    for (const program of this.#programs) program.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
