import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";

const DEMO = fileURLToPath(new URL("../../src/cli/demo.ts", import.meta.url));
const STORY_MS = 90_000;

const started: ChildProcess[] = [];
const nodes = new Set<number>();

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  for (const pid of nodes) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  nodes.clear();
});

test(
  "`--once` tells the whole story, ends with 0, and leaves no process behind",
  async () => {
    const { demo, output } = startDemo(["--once"]);
    const [code] = await once(demo, "close");
    expect(output.text, "the whole output").not.toContain("✗ NOT SO");
    expect(code, output.text).toBe(0);
    for (const scene of ["register names", "join a group", "killed with SIGKILL", "partitioned", "heals"]) {
      expect(output.text).toMatch(new RegExp(`^\\d\\. .*${scene}`, "m"));
    }
    expect(output.text).not.toContain("\u001b[");
    const times = [...output.text.matchAll(/^ +(\d+\.\d\d) s /gm)].map((match) => Number(match[1]));
    expect(times.length).toBeGreaterThan(20);
    expect(times).toStrictEqual([...times].sort((left, right) => left - right));
    expect(output.text.match(/✗/g), "the sign is explained, and not used").toHaveLength(1);
    expect(nodes.size).toBe(5);
    expect([...nodes].filter(isAlive)).toStrictEqual([]);
  },
  STORY_MS,
);

test(
  "the nodes do not outlive a demo that is killed",
  async () => {
    const { demo } = startDemo([]);
    await eventually(() => nodes.size === 5, { withinMs: STORY_MS });
    demo.kill("SIGKILL");
    await eventually(() => ![...nodes].some(isAlive), { withinMs: STORY_MS });
  },
  STORY_MS,
);

test(
  "Ctrl-C in the middle of the story ends it and its nodes in good order",
  async () => {
    const { demo, output } = startDemo([]);
    await eventually(() => nodes.size === 5, { withinMs: STORY_MS });
    demo.kill("SIGINT");
    const [code] = await once(demo, "close");
    expect(code).toBe(130);
    expect(output.text.match(/✗/g)).toHaveLength(1);
    expect([...nodes].filter(isAlive)).toStrictEqual([]);
  },
  STORY_MS,
);

test("an option that is none is answered with the usage, and 2", async () => {
  const { demo, output } = startDemo(["--twice"]);
  const [code] = await once(demo, "close");
  expect([code, output.text]).toStrictEqual([2, expect.stringContaining("Usage: npm run demo")]);
});

function startDemo(args: readonly string[]) {
  const { NATS_URL: _, ...environment } = process.env;
  const demo = spawn(process.execPath, ["--import", "tsx", DEMO, ...args], { env: environment });
  started.push(demo);
  const output = { text: "" };
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output.text += text;
      for (const [, pid] of output.text.matchAll(/OS process (\d+)/g)) nodes.add(Number(pid));
    });
  }
  return { demo, output };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
