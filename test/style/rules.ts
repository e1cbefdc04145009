import { dirname, join } from "node:path/posix";
import { parseSync } from "vite";
import { FLOORS, PROGRAMS, SIDEWAYS, TOP } from "./floors.ts";

/** One place that breaks one rule. */
export interface Breach {
  readonly file: string;
  readonly what: string;
  readonly line: number;
}

/** `library`: all rules. `around`: those that also suit tests, benchmarks and examples. */
export type Strictness = "library" | "around";

export const FILE_LINES = 500;
export const FUNCTION_LINES = 70;

/** Any mention of these, other than in text and comments: time, chance and order that a machine must be given, or must not use. */
const BANNED_WORDS = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "randomUUID",
  "randomBytes",
  "randomInt",
  "getRandomValues",
  "localeCompare",
  "hrtime",
]);
const BANNED_MEMBERS = new Set(["Date.now", "performance.now", "Math.random"]);
const BANNED_MODULES = new Map([
  ["events", "node:events"],
  ["timers", "node:timers"],
  ["timers/promises", "node:timers"],
  ["perf_hooks", "node:perf_hooks"],
]);
/** Split, so that this file does not break its own rule. */
const BANNED_NOTES = [
  "TO" + "DO",
  "FIX" + "ME",
  "@ts-" + "ignore",
  "@ts-" + "nocheck",
  "@ts-" + "expect-error",
];
/** Of what is above, what tests, benchmarks and examples must do without too. */
const BANNED_EVERYWHERE = new Set([
  "Math.random",
  "any",
  "non-null !",
  "export *",
  "file length",
  ...BANNED_NOTES,
]);

/** @param file path from the root of the repository, with slashes */
export function findBreaches(file: string, source: string, strictness: Strictness): readonly Breach[] {
  const { program, comments, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  const lineOf = lineCounter(source);
  const breaches: Breach[] = [];
  const report = (what: string, at: number) => {
    if (strictness === "library" || BANNED_EVERYWHERE.has(what))
      breaches.push({ file, what, line: lineOf(at) });
  };
  for (const note of BANNED_NOTES) {
    for (const { value, start } of comments) if (value.includes(note)) report(note, start);
  }
  const lines = source.trimEnd().split("\n").length;
  if (lines > FILE_LINES) report("file length", source.length);
  visit(program as unknown as SyntaxNode, (node) => {
    for (const what of breachesOfNode(node, file)) report(what, node.start);
    if (FUNCTIONS.has(node.type) && lineOf(node.end) - lineOf(node.start) + 1 > FUNCTION_LINES) {
      report("function length", node.start);
    }
  });
  return breaches;
}

/** The packages that a file imports, by name, without Node's own. */
export function packagesImported(file: string, source: string): readonly string[] {
  const names: string[] = [];
  visit(parseSync(file, source).program as unknown as SyntaxNode, (node) => {
    const specifier = moduleOf(node);
    if (specifier === undefined || specifier.startsWith(".") || specifier.startsWith("node:")) return;
    names.push(specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"));
  });
  return names;
}

interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [part: string]: unknown;
}

const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

function breachesOfNode(node: SyntaxNode, file: string): readonly string[] {
  switch (node.type) {
    case "TSAnyKeyword":
      return ["any"];
    case "TSNonNullExpression":
      return ["non-null !"];
    case "Identifier":
      return BANNED_WORDS.has(nameOf(node)) ? [nameOf(node)] : [];
    case "MemberExpression": {
      const member = `${nameOf(node["object"])}.${nameOf(node["property"])}`;
      return BANNED_MEMBERS.has(member) ? [member] : [];
    }
    case "NewExpression":
    case "CallExpression":
      return breachesOfCall(node);
    case "ExportAllDeclaration":
      return ["export *", ...breachesOfImport(moduleOf(node), file)];
    default:
      return breachesOfImport(moduleOf(node), file);
  }
}

function breachesOfCall(node: SyntaxNode): readonly string[] {
  const callee = nameOf(node["callee"]);
  if (callee === "Function" || callee === "eval") return ["code from text"];
  const hasArguments = (node["arguments"] as readonly unknown[]).length > 0;
  return callee === "Date" && !hasArguments ? ["new Date()"] : [];
}

function breachesOfImport(specifier: string | undefined, file: string): readonly string[] {
  if (specifier === undefined) return [];
  if (specifier.startsWith(".")) return breachesOfFloors(file, join(dirname(file), specifier));
  const banned = BANNED_MODULES.get(specifier.replace(/^node:/, ""));
  return banned === undefined ? [] : [banned];
}

/** Imports go downward, from folder to folder of `src`. Within a folder they go where they like. */
function breachesOfFloors(file: string, imported: string): readonly string[] {
  const from = folderOf(file);
  const to = folderOf(imported);
  if (from === undefined || from === to) return [];
  if (to === undefined) return ["import from outside src"];
  const unknown = [from, to].find((folder) => !FLOORS.has(folder));
  if (unknown !== undefined) return [`${unknown} is on no floor`];
  if (SIDEWAYS.some((allowed) => allowed.from === from && allowed.to === to)) return [];
  const fromFloor = FLOORS.get(from) ?? 0;
  const toFloor = FLOORS.get(to) ?? 0;
  // The programs of the top floor use the library as its users do. So nothing that they use may lead back to them.
  if (to === TOP && fromFloor === PROGRAMS) return [];
  if (to === "sim" || (from === TOP && toFloor === PROGRAMS))
    return [`import of a program, ${from} -> ${to}`];
  if (toFloor > fromFloor) return [`import upward, ${from} -> ${to}`];
  return toFloor === fromFloor ? [`import sideways, ${from} -> ${to}`] : [];
}

function folderOf(file: string): string | undefined {
  const parts = file.split("/");
  if (parts[0] !== "src") return undefined;
  return parts.length === 2 ? TOP : parts[1];
}

/** The module that an import, a re-export, an `import()` or an import type names. */
function moduleOf(node: SyntaxNode): string | undefined {
  const source = node["source"] as SyntaxNode | null | undefined;
  const value: unknown = source?.["value"];
  return typeof value === "string" ? value : undefined;
}

function nameOf(node: unknown): string {
  const name: unknown = (node as SyntaxNode | null | undefined)?.["name"];
  return typeof name === "string" ? name : "";
}

function visit(node: SyntaxNode, see: (node: SyntaxNode) => void): void {
  see(node);
  for (const part of Object.values(node)) {
    for (const child of Array.isArray(part) ? part : [part]) {
      if (typeof child === "object" && child !== null && "type" in child) visit(child as SyntaxNode, see);
    }
  }
}

function lineCounter(source: string): (offset: number) => number {
  const starts = [0];
  for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const next = starts.findIndex((start) => start > offset);
    return next < 0 ? starts.length : next;
  };
}
