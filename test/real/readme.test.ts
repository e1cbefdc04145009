import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";

const README = readFileSync("README.md", "utf8");
const BLOCKS = [...README.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");

/** The first code block under the heading that holds these words. */
function blockAfter(words: string): string {
  const at = README.indexOf(words);
  expect(at).toBeGreaterThan(0);
  const found = /```js\n([\s\S]*?)```/.exec(README.slice(at));
  return found?.[1] ?? "";
}

/** A program that runs as a reader would run it: in an OS process of its own, importing the built package by its name. */
class Program {
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

describe("the README", () => {
  let folder: string;
  let programs: Program[];

  beforeEach(() => {
    // Inside the package, where its own name resolves to what was built.
    mkdirSync(".tmp", { recursive: true });
    folder = mkdtempSync(join(".tmp", "readme-"));
    programs = [];
  });

  afterEach(() => {
    for (const program of programs) program.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  function run(name: string, code: string, ...words: string[]): Program {
    const file = join(folder, `${name}.mjs`);
    writeFileSync(file, code);
    const program = new Program(file, ...words);
    programs.push(program);
    return program;
  }

  test("its first example runs, says what it should, and ends by itself", async () => {
    const example = run("example", BLOCKS[0] ?? "");
    await eventually(() => example.exitCode !== undefined, { withinMs: 30_000 });
    expect(example.output).toBe("an apple costs 12\nshop hears: closing time\nprices is gone: normal\n");
    expect(example.exitCode).toBe(0);
    expect(
      (BLOCKS[0] ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("//")).length,
    ).toBeLessThan(21);
  });

  test("its named service is called from another process, and ends when interrupted", async () => {
    const service = run("service", blockAfter("`service.mjs`; run it"));
    await service.says("serving");
    const client = run("client", blockAfter("`client.mjs`, in another"));
    await client.says("the sum is 5");
    expect(client.output).toContain("{ version: 1 }");
    await eventually(() => client.exitCode === 0, { withinMs: 10_000 });
    service.interrupt();
    await eventually(() => service.exitCode === 0, { withinMs: 10_000 });
  });

  test("its chat tells who joins, who speaks and who leaves", async () => {
    const code = blockAfter("`chat.mjs NICK`");
    const ann = run("ann", code, "ann");
    await ann.says("here: ann");
    const bob = run("bob", code, "bob");
    await ann.says("* bob joined");
    bob.type("hello");
    await ann.says("bob: hello");
    expect(bob.output).not.toContain("bob: hello");
    bob.close();
    await ann.says("* bob left");
    await eventually(() => bob.exitCode === 0, { withinMs: 10_000 });
  });

  test("its table of guarantees names test files that exist", () => {
    const files = [...README.matchAll(/`(test\/[^`]+\.ts)`/g)].map((match) => match[1] ?? "");
    expect(files.length).toBeGreaterThan(14);
    for (const file of files) expect(readFileSync(file, "utf8").length).toBeGreaterThan(0);
  });
});
