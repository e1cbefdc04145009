import { expect, test } from "vitest";
import { isAlive, type JournalLine } from "../support/cli/journal.ts";
import { RunnerStage } from "../support/cli/stage.ts";
import { eventually } from "../support/eventually.ts";

const TTL_MS = 2_000;
/** What the others may take on top of that. */
const TAKEOVER_MS = 2_000;
const NS_PER_MS = 1e6;
const NAMES = ["one", "two", "three"] as const;
const STRICT = { flags: ["--strict"] };

test("a strict name has one job over three runners; its runner is killed, and another has it within a TTL and 2 s, with a higher token", async () => {
  await using stage = await RunnerStage.start(TTL_MS);
  const { journal } = stage;
  for (const name of NAMES) stage.run(name, STRICT);
  let holder = await journal.started(1);
  for (const round of [2, 3]) {
    const killedAt = process.hrtime.bigint();
    stage.runnerOf(holder).signal("SIGKILL");
    const next = await journal.started(round);
    expect(Number(BigInt(next.at) - killedAt) / NS_PER_MS).toBeLessThan(TTL_MS + TAKEOVER_MS);
    expect(tokenOf(next)).toBeGreaterThan(tokenOf(holder));
    expect(next.of).not.toBe(holder.of);
    holder = next;
  }
  const { length } = journal.lines;
  await eventually(() => journal.lines.length > length + 50);
  expect(journal.overlaps).toStrictEqual([]);
  expect(journal.lines.some(({ kind }) => kind === "asked")).toBe(false);
});

test("a runner that is stopped has its command ended before another one starts, and finds so when it goes on", async () => {
  await using stage = await RunnerStage.start(TTL_MS);
  const { journal } = stage;
  for (const name of NAMES) stage.run(name, { ...STRICT, mode: "stubborn" });
  const first = await journal.started(1);
  const stopped = stage.runnerOf(first);
  stopped.signal("SIGSTOP");
  const second = await journal.started(2);
  expect(second.alive).toStrictEqual([]);
  expect(tokenOf(second)).toBeGreaterThan(tokenOf(first));
  // It was asked before it was made to.
  expect(journal.lines.some(({ kind, pid }) => kind === "asked" && pid === first.pid)).toBe(true);
  stopped.signal("SIGCONT");
  expect(await stopped.ended()).toBe(5);
  expect(stopped.stderr).toContain('"job" is lost');
  expect(journal.starts).toHaveLength(2);
  expect(journal.overlaps).toStrictEqual([]);
});

test("with --again a runner that was stopped goes back in line, and has its turn", async () => {
  await using stage = await RunnerStage.start(TTL_MS);
  const { journal } = stage;
  stage.run("one", { flags: ["--strict", "--again"] });
  const first = await journal.started(1);
  stage.run("two", STRICT);
  const runner = stage.runnerOf(first);
  runner.signal("SIGSTOP");
  const second = await journal.started(2);
  runner.signal("SIGCONT");
  await runner.says('"job" is lost');
  stage.runnerOf(second).signal("SIGTERM");
  const third = await journal.started(3);
  expect([first.of, second.of, third.of]).toStrictEqual(["one", "two", "one"]);
  expect(await stage.runnerOf(second).ended()).toBe(3);
  expect(journal.overlaps).toStrictEqual([]);
});

test("the watchdog is killed, and the command ends; the name is free at once", async () => {
  await using stage = await RunnerStage.start(TTL_MS);
  const { journal } = stage;
  for (const name of NAMES.slice(0, 2)) stage.run(name, { ...STRICT, mode: "stubborn" });
  const first = await journal.started(1);
  process.kill(first.ppid, "SIGKILL");
  const second = await journal.started(2);
  expect(isAlive(first.pid)).toBe(false);
  expect(await stage.runnerOf(first).ended()).toBe(137);
  expect(tokenOf(second)).toBeGreaterThan(tokenOf(first));
  expect(journal.overlaps).toStrictEqual([]);
});

test("a watchdog that is stopped does not keep a command alive whose name is lost", async () => {
  await using stage = await RunnerStage.start(TTL_MS);
  const { journal } = stage;
  const runner = stage.run("one", { ...STRICT, mode: "stubborn" });
  const first = await journal.started(1);
  process.kill(first.ppid, "SIGSTOP");
  for (const server of stage.leaseServers.slice(0, 2)) server.signal("SIGSTOP");
  const partedAt = process.hrtime.bigint();
  expect(await runner.ended()).toBe(5);
  // By then the servers would have given the name to somebody else, had they gone on.
  const last = BigInt(stage.journal.lines.at(-1)?.at ?? 0);
  expect(Number(last - partedAt) / NS_PER_MS).toBeLessThan(TTL_MS);
  expect(isAlive(first.pid)).toBe(false);
  expect(isAlive(first.ppid)).toBe(false);
});

test("a majority of the lease servers is gone: the command is asked to end while the name is still held", async () => {
  await using stage = await RunnerStage.start(TTL_MS);
  const { journal } = stage;
  const runner = stage.run("one", STRICT);
  await journal.started(1);
  for (const server of stage.leaseServers.slice(0, 2)) server.signal("SIGSTOP");
  expect(await runner.ended()).toBe(5);
  const kinds = journal.lines.map(({ kind }) => kind).filter((kind) => kind !== "tick");
  expect(kinds).toStrictEqual(["start", "asked", "end"]);
});

test("--no-wait is refused a name that is held, with 5, and nothing runs", async () => {
  await using stage = await RunnerStage.start(TTL_MS);
  const { journal } = stage;
  stage.run("one", STRICT);
  await journal.started(1);
  const other = stage.run("two", { flags: ["--strict", "--no-wait"] });
  expect(await other.ended()).toBe(5);
  expect(other.stderr).toContain('rollcall: "job" is held by one@');
  expect(journal.starts).toHaveLength(1);
});

function tokenOf({ token }: JournalLine): bigint {
  expect(token).toMatch(/^\d+$/);
  return BigInt(token ?? 0);
}
