import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as rollcall from "../../src/index.ts";
import { NodePresence } from "../../src/node/pubsub/node-presence.ts";
import { NodePubSub } from "../../src/node/pubsub/node-pubsub.ts";
import { RunningNode } from "../../src/node/running-node.ts";
import { ScopeGroups } from "../../src/node/scope-groups.ts";
import { ScopeNames } from "../../src/node/scope-names.ts";
import { NO_LEASES } from "../../src/node/strict/lease-stats.ts";
import { ScopeStrictNames } from "../../src/node/strict/scope-strict-names.ts";
import type { Lease, StrictHolder, StrictRegisterOptions } from "../../src/node/strict/types.ts";
import { SIMULATE_OPTIONS } from "../../src/sim/testing/simulate.ts";
import { Simulation } from "../../src/sim/testing/simulation.ts";
import * as testing from "../../src/testing.ts";
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

function isTold(name: string, text: string): boolean {
  return new RegExp(`\`(node\\.)?${name}[\`(<]`).test(text);
}

/** Whether it stands in a list of fields there. */
function isField(name: string, text: string): boolean {
  return new RegExp(`\`\\{ [^\`]*\\b${name}\\b[^\`]*\\}\``).test(text);
}

const LEASE: Record<Exclude<keyof Lease, symbol>, true> = {
  ...{ name: true, pid: true, token: true, signal: true },
  ...{ isHeld: true, remainingMs: true, release: true },
};
const STRICT_REGISTER: Record<keyof StrictRegisterOptions, true> = {
  ...{ meta: true, wait: true, onLost: true, timeoutMs: true, signal: true },
};
const HOLDER: Record<keyof StrictHolder, true> = { pid: true, node: true, token: true, meta: true };
const REPORT: Record<keyof testing.SimulationReport, true> = { seeds: true, events: true, virtualMs: true };
const LINE: Record<keyof testing.SimulationLine, true> = { atMs: true, who: true, what: true };

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
    const methods = [
      RunningNode,
      ScopeNames,
      ScopeStrictNames,
      ScopeGroups,
      NodePubSub,
      NodePresence,
      Simulation,
    ].flatMap(({ prototype }) =>
      Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor"),
    );
    expect(methods.length).toBeGreaterThan(35);
    const names = [...Object.keys(rollcall).filter((name) => name !== "RollcallError"), ...methods];
    expect(names.filter((name) => !isTold(name, REFERENCE))).toEqual([]);
  });

  test("leaves out nothing of strict names: no method of a lease, no option, no statistic", () => {
    const [, section = ""] = /\n## Strict names\n([\s\S]*?)\n## /.exec(REFERENCE) ?? [];
    const told = [...Object.keys(LEASE), ...Object.keys(STRICT_REGISTER)];
    expect(told.filter((name) => !isTold(name, section))).toEqual([]);
    expect(Object.keys(HOLDER).filter((name) => !isField(name, section))).toEqual([]);
    expect(Object.keys(NO_LEASES).filter((name) => !isTold(name, REFERENCE))).toEqual([]);
  });

  test("leaves out nothing of `rollcall/testing`: no export, no type, no option", () => {
    const [, section = ""] = /\n## Testing\n([\s\S]*?)\n## /.exec(REFERENCE) ?? [];
    const exported = readFileSync("src/testing.ts", "utf8").matchAll(/\{([^}]+)\}/g);
    const names = [...exported].flatMap(([, list = ""]) => list.match(/\w+/g) ?? []);
    expect(names).toEqual(expect.arrayContaining([...Object.keys(testing), "SimulateOptions", "Simulation"]));
    const told = [
      ...names.filter((name) => name !== "type"),
      ...Object.keys(SIMULATE_OPTIONS),
      ...Object.getOwnPropertyNames(Simulation.prototype).filter((name) => name !== "constructor"),
    ];
    expect(told.length).toBeGreaterThan(30);
    expect(told.filter((name) => !isTold(name, section))).toEqual([]);
    const fields = [...Object.keys(REPORT), ...Object.keys(LINE)];
    expect(fields.filter((name) => !isField(name, section))).toEqual([]);
  });
});
