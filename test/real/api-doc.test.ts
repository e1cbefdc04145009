import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as rollcall from "../../src/index.ts";
import { RunningNode } from "../../src/node/running-node.ts";
import { ScopeGroups } from "../../src/node/scope-groups.ts";
import { ScopeNames } from "../../src/node/scope-names.ts";
import { eventually } from "../support/eventually.ts";
import { Programs } from "../support/program.ts";

const REFERENCE = readFileSync("docs/api.md", "utf8");

function blocks(language: string): readonly string[] {
  const found = REFERENCE.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"));
  return [...found].map((match) => match[1] ?? "");
}

/** A part of a program, with what the document says is known in it; a program of its own is left as it is. */
function wholeProgram(part: string): string {
  if (part.startsWith("import ")) return part;
  return `import type { ClusterNode, Contender, Pid, Process, Resolver } from "rollcall";
export async function part(node: ClusterNode, worker: Process, other: Process, pid: Pid): Promise<void> {
${part}}
`;
}

describe("the reference", () => {
  let programs: Programs;

  beforeEach(() => {
    programs = new Programs("api");
  });

  afterEach(() => programs.end());

  test("has parts of programs that compile, with the compiler's settings that it names", async () => {
    const parts = blocks("ts");
    expect(parts.length).toBeGreaterThan(4);
    for (const [index, part] of parts.entries()) programs.write(`part-${index}.ts`, wholeProgram(part));
    const [settings] = blocks("json");
    programs.write("tsconfig.json", settings ?? "");
    const compiler = ["node_modules/typescript/bin/tsc", "--noEmit", "-p", programs.folder];
    const compiled = await promisify(execFile)(process.execPath, compiler).catch((error: unknown) => error);
    expect(compiled).toMatchObject({ stdout: "" });
    expect(compiled).not.toBeInstanceOf(Error);
  });

  test("has a program that stays up until it is interrupted, and leaves in good order", async () => {
    const [code, ...more] = blocks("js");
    expect(more).toEqual([]);
    const program = programs.run("orderly", code ?? "");
    await program.says("up");
    await delay(1_500);
    expect(program.exitCode).toBeUndefined();
    program.interrupt();
    await program.says("closed: stopped");
    await eventually(() => program.exitCode === 0, { withinMs: 10_000 });
  });

  test("leaves out nothing that is exported, and no method", () => {
    const methods = [RunningNode, ScopeNames, ScopeGroups].flatMap(({ prototype }) =>
      Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor"),
    );
    expect(methods.length).toBeGreaterThan(35);
    const names = [...Object.keys(rollcall).filter((name) => name !== "RollcallError"), ...methods];
    const missing = names.filter((name) => !new RegExp(`\`(node\\.)?${name}[\`(<]`).test(REFERENCE));
    expect(missing).toEqual([]);
  });
});
