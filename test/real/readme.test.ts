import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Programs } from "../support/program.ts";

const README = readFileSync("README.md", "utf8");
const BLOCKS = [...README.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");

/** The first code block under the heading that holds these words. */
function blockAfter(words: string): string {
  const at = README.indexOf(words);
  expect(at).toBeGreaterThan(0);
  const found = /```js\n([\s\S]*?)```/.exec(README.slice(at));
  return found?.[1] ?? "";
}

describe("the README", () => {
  let programs: Programs;

  beforeEach(() => {
    programs = new Programs("readme");
  });

  afterEach(() => programs.end());

  test("its first example runs, says what it should, and ends by itself", async () => {
    const example = programs.run("example", BLOCKS[0] ?? "");
    await eventually(() => example.exitCode !== undefined, { withinMs: 30_000 });
    expect(example.output).toBe("an apple costs 12\nshop hears: closing time\nprices is gone: normal\n");
    expect(example.exitCode).toBe(0);
    expect(
      (BLOCKS[0] ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("//")).length,
    ).toBeLessThan(21);
  });

  test("its named service is called from another process, and ends when interrupted", async () => {
    const service = programs.run("service", blockAfter("`service.mjs`; run it"));
    await service.says("serving");
    const client = programs.run("client", blockAfter("`client.mjs`, in another"));
    await client.says("the sum is 5");
    expect(client.output).toContain("{ version: 1 }");
    await eventually(() => client.exitCode === 0, { withinMs: 10_000 });
    service.interrupt();
    await eventually(() => service.exitCode === 0, { withinMs: 10_000 });
  });

  test("its chat tells who joins, who speaks and who leaves", async () => {
    const code = blockAfter("`chat.mjs NICK`");
    const ann = programs.run("ann", code, "ann");
    await ann.says("here: ann");
    const bob = programs.run("bob", code, "bob");
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

  test("and so does the one that goes from fault to fault", () => {
    const table = readFileSync("docs/guarantees.md", "utf8")
      .split("\n")
      .filter((line) => /^\| .* \|$/.test(line));
    const tests = table.flatMap((row) => [
      ...(row.split(" | ").at(-1) ?? "").matchAll(/`([a-z]+\/[a-z/-]+)`/g),
    ]);
    expect(tests.length).toBeGreaterThan(25);
    for (const [, name] of tests)
      expect(readFileSync(`test/${name}.test.ts`, "utf8").length).toBeGreaterThan(0);
  });
});
