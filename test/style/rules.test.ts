import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { describe, expect, test } from "vitest";
import { ALLOWED } from "./allowed.ts";
import { SIDEWAYS } from "./floors.ts";
import { type Breach, FILE_LINES, FUNCTION_LINES, findBreaches, packagesImported } from "./rules.ts";

const root = new URL("../../", import.meta.url).pathname;

function sourcesIn(folder: string): readonly { readonly file: string; readonly source: string }[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith(".ts"))
    .sort()
    .map((file) => ({ file, source: readFileSync(join(root, file), "utf8") }));
}

const library = sourcesIn("src");
const around = ["test", "bench", "examples"].flatMap(sourcesIn);
const breaches = [
  ...library.flatMap(({ file, source }) => findBreaches(file, source, "library")),
  ...around.flatMap(({ file, source }) => findBreaches(file, source, "around")),
];

describe("the code keeps its rules", () => {
  test("there is code to look at", () => {
    expect(library.length).toBeGreaterThan(20);
    expect(around.length).toBeGreaterThan(5);
  });

  test("nothing does what a rule bans, but for what the allow-list gives a reason for", () => {
    const isAllowed = (breach: Breach) =>
      ALLOWED.some(({ file, what }) => file === breach.file && what === breach.what);
    expect(breaches.filter((breach) => !isAllowed(breach)).map(written)).toEqual([]);
  });

  test("every entry of the allow-list is needed, and has a reason", () => {
    const isNeeded = (file: string, what: string) =>
      breaches.some((breach) => breach.file === file && breach.what === what);
    expect(ALLOWED.filter(({ file, what, reason }) => !isNeeded(file, what) || reason === "")).toEqual([]);
  });

  test("every sideways import that is allowed is needed, and has a reason", () => {
    const isNeeded = (from: string, to: string) =>
      library.some(({ file, source }) => file.startsWith(`src/${from}/`) && source.includes(`/${to}/`));
    expect(SIDEWAYS.filter(({ from, to, reason }) => !isNeeded(from, to) || reason === "")).toEqual([]);
  });

  test("the library imports no package but those that are installed with it, and its programs the optional ones too", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Partial<
      Record<"dependencies" | "peerDependencies" | "optionalDependencies", Record<string, string>>
    >;
    const always = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    const optional = Object.keys(manifest.optionalDependencies ?? {});
    const missing = library.flatMap(({ file, source }) => {
      const isProgram = /^src\/(?:cli|http)\//.test(file);
      const declared = new Set([...always, ...(isProgram ? optional : [])]);
      return packagesImported(file, source)
        .filter((name) => !declared.has(name))
        .map((name) => `${file}: ${name}`);
    });
    expect(missing).toEqual([]);
  });

  test("a package that is optional is loaded by the sub-path that needs it, and by nothing else", () => {
    const needing = library.filter(({ file, source }) => packagesImported(file, source).includes("ioredis"));
    expect(needing.map(({ file }) => file)).toEqual(["src/lease/redis/connection.ts"]);
    // How an address is written is known without it. The command line loads the rest when it is to use Redis, and not before.
    const reaches = /(?<!await import\()"[^"]*\/redis(?:\/(?!address\.ts)|\.ts)/;
    const reaching = library.filter(
      ({ file, source }) => !file.startsWith("src/lease/redis") && reaches.test(source),
    );
    expect(reaching.map(({ file }) => file)).toEqual(["src/redis.ts"]);
  });
});

describe("the check sees what it should", () => {
  const lines = (count: number) => "\n".repeat(count - 1);

  test.each<[string, string]>([
    ["Date.now", "const at = Date.now();"],
    ["new Date()", "const at = new Date();"],
    ["performance.now", "const at = globalThis ? performance.now() : 0;"],
    ["hrtime", "process.hrtime.bigint();"],
    ["node:perf_hooks", 'import { performance } from "node:perf_hooks";'],
    ["setTimeout", "globalThis.setTimeout(() => {}, 1);"],
    ["setInterval", "setInterval(tick, 1);"],
    ["setImmediate", "const later = setImmediate;"],
    ["node:timers", 'import * as timers from "node:timers/promises";'],
    ["Math.random", "const { floor } = Math; floor(Math.random() * 6);"],
    ["randomUUID", "crypto.randomUUID();"],
    ["randomBytes", 'import { randomBytes as bytes } from "node:crypto";'],
    ["localeCompare", "names.sort((a, b) => a.localeCompare(b));"],
    ["node:events", 'import { once } from "node:events";'],
    ["node:events", 'const events = await import("events");'],
    ["any", "const list: readonly any[] = [];"],
    ["any", "const value = input as any;"],
    ["non-null !", "const first = list[0]!;"],
    ["export *", 'export * from "./ids.ts";'],
    ["export *", 'export * as ids from "./ids.ts";'],
    ["code from text", 'new Function("a", "return a");'],
    ["code from text", 'eval("1");'],
    ["TO" + "DO", `// TO${"DO"}: later`],
    ["FIX" + "ME", `/* FIX${"ME"} */`],
    ["@ts-" + "ignore", `// @ts-${"ignore"}\nf();`],
    ["file length", `${lines(FILE_LINES + 1)}f();`],
    ["function length", `const f = () => {${lines(FUNCTION_LINES + 1)}};`],
    ["function length", `class A { method() {${lines(FUNCTION_LINES + 1)}} }`],
  ])("%s (%#)", (what, source) => {
    expect(findBreaches("src/kernel/planted.ts", source, "library").map((breach) => breach.what)).toContain(
      what,
    );
  });

  test.each<[string, string, string]>([
    ["import upward, kernel -> bus", "src/kernel/a.ts", 'import { a } from "../bus/port.ts";'],
    ["import upward, kernel -> bus", "src/kernel/a.ts", 'import type { A } from "../bus/port.ts";'],
    ["import upward, kernel -> bus", "src/kernel/a.ts", 'export { A } from "../bus/nats/client.ts";'],
    ["import upward, bus -> node", "src/bus/nats/a.ts", 'const a = await import("../../node/a.ts");'],
    ["import upward, bus -> node", "src/bus/a.ts", 'type A = import("../node/a.ts").A;'],
    ["import upward, node -> (top)", "src/node/a.ts", 'import { a } from "../index.ts";'],
    ["import sideways, groups -> global", "src/groups/a.ts", 'import { a } from "../global/a.ts";'],
    ["import of a program, http -> sim", "src/http/a.ts", 'import { a } from "../sim/a.ts";'],
    ["import of a program, (top) -> cli", "src/index.ts", 'export { a } from "./cli/a.ts";'],
    ["common is on no floor", "src/node/a.ts", 'import { a } from "../common/a.ts";'],
    ["import from outside src", "src/node/a.ts", 'import { a } from "../../test/a.ts";'],
  ])("%s", (what, file, source) => {
    expect(findBreaches(file, source, "library")).toEqual([{ file, what, line: 1 }]);
  });

  test.each<[string, string]>([
    [
      "text and comments",
      '// no setTimeout, nor any!\nconst text = "Date.now() Math.random() any";\nconst note = `setInterval`;',
    ],
    ["a regular expression", "const pattern = /setTimeout|Math.random/;"],
    ["a date that is given", "const at = new Date(wallMs);"],
    ["a negation", "if (!list[0]) f(list[0] !== list[1]);"],
    ["a function of the full length", `const f = () => {${lines(FUNCTION_LINES)}};`],
    ["a file of the full length", `${lines(FILE_LINES)}f();`],
  ])("nothing in %s", (_what, source) => {
    expect(findBreaches("src/kernel/planted.ts", source, "library")).toEqual([]);
  });

  test.each<[string, string]>([
    ["src/node/a.ts", "../global/a.ts"],
    ["src/global/a.ts", "../resolve/a.ts"],
    ["src/bus/nats/a.ts", "../port.ts"],
    ["src/index.ts", "./node/a.ts"],
    ["src/cli/a.ts", "../index.ts"],
    ["src/sim/a.ts", "../node/a.ts"],
  ])("nothing in %s importing %s", (file, imported) => {
    expect(findBreaches(file, `import { a } from "${imported}";`, "library")).toEqual([]);
  });

  test("time may be used around the library, but no chance that cannot be repeated", () => {
    const source = "setTimeout(f, Math.random());";
    expect(findBreaches("test/a.test.ts", source, "around").map((breach) => breach.what)).toEqual([
      "Math.random",
    ]);
  });

  test("the line is that of the breach", () => {
    expect(findBreaches("src/kernel/a.ts", "f();\n\nconst a = b!;\n", "library")).toEqual([
      { file: "src/kernel/a.ts", what: "non-null !", line: 3 },
    ]);
  });

  test("packages are named without their sub-paths", () => {
    const source =
      'import a from "@nats-io/kv/x"; import "zod/mini"; import "node:fs"; import "./a.ts"; export { b } from "nats";';
    expect(packagesImported("src/a.ts", source)).toEqual(["@nats-io/kv", "zod", "nats"]);
  });
});

function written({ file, line, what }: Breach): string {
  return `${file}:${line}: ${what}`;
}
