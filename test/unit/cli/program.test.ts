import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { type Shell, scriptFor } from "../../../src/cli/completion-scripts.ts";
import { exitCodeOf, exitCodeOfSignal } from "../../../src/cli/exit-codes.ts";
import { makeProgram } from "../../../src/cli/program.ts";
import { BusClosedError, InvalidArgumentError, LeaseLostError, NoSuchNameError } from "../../../src/index.ts";

const REFERENCE = readFileSync("docs/cli.md", "utf8");
const program = makeProgram(() => undefined);
/** They have arguments of their own, and help for them. */
const OTHERS = new Set(["sim", "demo"]);
const commands = program.commands.filter((command) => !OTHERS.has(command.name()));

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (more) => (text += more), getOutHelpWidth: () => 200 });
  command.outputHelp();
  return text;
}

test("there are the commands that the reference tells of, and no others", () => {
  const told = [...REFERENCE.matchAll(/^### `rollcall (\w+)/gm)].map(([, name]) => name);
  expect(told.toSorted()).toStrictEqual(program.commands.map((command) => command.name()).toSorted());
  expect(told.length).toBeGreaterThan(12);
});

describe.each(commands.map((command) => [command.name(), command] as const))("%s", (name, command) => {
  test("has a description, and examples of itself in its help", () => {
    const help = helpOf(command);
    expect(command.description()).not.toBe("");
    expect(help).toMatch(new RegExp(`Examples:\n  \\$ rollcall ${name}`));
  });

  test("has every option of its own in the reference", () => {
    const [, section = ""] =
      new RegExp(`### \`rollcall ${name}\\b([\\s\\S]*?)(?=\n##)`).exec(REFERENCE) ?? [];
    const everywhere = ["--cluster", "--node", "--nats", "--scope", "--json"];
    const own = command.options.map(({ long }) => long ?? "").filter((flag) => !everywhere.includes(flag));
    expect(own.filter((flag) => !section.includes(flag))).toStrictEqual([]);
    for (const flag of everywhere) expect(REFERENCE).toContain(`\`${flag}`);
  });
});

test.each<[unknown, number]>([
  [new Error("x"), 1],
  [new InvalidArgumentError("a", 1, "b"), 2],
  [new NoSuchNameError("x"), 3],
  [new BusClosedError(), 4],
  [new LeaseLostError("x", 1n), 5],
])("%s ends a command with %i", (error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

test("signals end a command as shells have it", () => {
  expect([exitCodeOfSignal("SIGINT"), exitCodeOfSignal("SIGTERM")]).toStrictEqual([130, 143]);
});

test.each<Shell>(["bash", "zsh", "fish"])("the script for %s has every command and option", (shell) => {
  const words = program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: command.options.map(({ description, long, required }) => ({
      flag: long ?? "",
      description,
      takesValue: required,
    })),
  }));
  const script = scriptFor(shell, words);
  for (const { name, options } of words) {
    expect(script).toContain(name);
    for (const { flag } of options) expect(script).toContain(flag.slice("--".length));
  }
});
