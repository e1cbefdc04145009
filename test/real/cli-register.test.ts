import { expect, test } from "vitest";
import { natsBus, startNode } from "../../src/index.ts";
import { Cli, rollcall } from "../support/cli/command.ts";
import { isAlive } from "../support/cli/journal.ts";
import { RunnerStage } from "../support/cli/stage.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { NatsServer } from "../support/nats-server.ts";

test("an available name has one job; its runner is killed, the command with it, and another one runs it", async () => {
  await using stage = await RunnerStage.start();
  const { journal } = stage;
  for (const name of ["one", "two", "three"]) stage.run(name, { mode: "stubborn" });
  const first = await journal.started(1);
  stage.runnerOf(first).signal("SIGKILL");
  const second = await journal.started(2);
  expect(second.of).not.toBe(first.of);
  expect(second.token).toBeUndefined();
  expect(journal.overlaps).toStrictEqual([]);
});

test("a runner that hangs has its command ended before it is taken for dead", async () => {
  await using stage = await RunnerStage.start();
  const { journal } = stage;
  for (const name of ["one", "two"]) stage.run(name, { mode: "stubborn" });
  const first = await journal.started(1);
  stage.runnerOf(first).signal("SIGSTOP");
  const second = await journal.started(2);
  expect(second.alive).toStrictEqual([]);
  expect(journal.overlaps).toStrictEqual([]);
});

test("SIGTERM is for the command; the name is given on only when it has ended, and its exit code is the runner's", async () => {
  await using stage = await RunnerStage.start();
  const { journal } = stage;
  for (const name of ["one", "two"]) stage.run(name, { mode: "slow" });
  const first = await journal.started(1);
  const runner = stage.runnerOf(first);
  runner.signal("SIGTERM");
  expect(await runner.ended()).toBe(3);
  await journal.started(2);
  expect(journal.lines.filter(({ pid, kind }) => pid === first.pid && kind === "end")).toHaveLength(1);
  expect(journal.overlaps).toStrictEqual([]);
});

test("a name that was taken over, or freed by somebody, is lost: the command is asked to end, and the runner exits with 5", async () => {
  await using stage = await RunnerStage.start();
  const { journal } = stage;
  const bus = natsBus({ servers: stage.variables["NATS_URL"] ?? "" });
  await using node = await startNode({ cluster: "default", bus });
  for (const lose of [
    () => node.names.reregister("job", node.spawn()),
    () => node.names.unregister("job"),
  ] as const) {
    await node.names.unregister("job");
    const { length } = journal.starts;
    const runner = stage.run(`runner-${length}`);
    await journal.started(length + 1);
    await node.names.waitFor("job");
    await lose();
    expect(await runner.ended()).toBe(5);
    expect(runner.stderr).toContain('"job" is lost');
    expect(journal.lines.at(-1)?.kind).toBe("end");
  }
});

test("everything that the command has started ends with it, and with its runner", async () => {
  const script = "sleep 300 & echo $!; sleep 300 & echo $!; wait";
  const variables = { ROLLCALL_BUS_PORT: String(await freePort()) };
  await using runner = new Cli(["register", "job", "--", "sh", "-c", script], variables);
  await eventually(() => runner.lines.length === 2, { withinMs: 20_000, what: () => runner.stderr });
  const children = runner.lines.map(Number);
  expect(children.every(isAlive)).toBe(true);
  runner.signal("SIGKILL");
  await eventually(() => !children.some(isAlive), { withinMs: 20_000 });
});

test.each<[string, readonly string[], number, string]>([
  ["ends with the exit code of its command", ["sh", "-c", "exit 42"], 42, ""],
  ["ends with 128 and the signal that ended it", ["sh", "-c", "kill -9 $$"], 137, ""],
  ["ends with 127 when there is no such command", ["no-such-command-here"], 127, "not found"],
  ["ends with 126 when it cannot be run", ["/etc/passwd"], 126, "denied"],
  [
    "gives it the name, and no token",
    ["sh", "-c", 'echo "$ROLLCALL_NAME/$ROLLCALL_FENCING_TOKEN"'],
    0,
    "a b/\n",
  ],
  ["gives it words as they are", ["printf", "%s|", "a b", "$HOME", "--json", ";"], 0, "a b|$HOME|--json|;|"],
])("a runner %s", async (_what, command, code, words) => {
  const variables = { ROLLCALL_BUS_PORT: String(await freePort()), ROLLCALL_FENCING_TOKEN: "stale" };
  const ended = await rollcall(["register", "a b", "--", ...command], variables);
  expect(ended).toMatchObject({ code });
  expect(ended.stdout + ended.stderr).toContain(words);
});

test("what is typed reaches the command, and Ctrl-C while it waits for the name ends the runner", async () => {
  await using nats = await NatsServer.start();
  const variables = { NATS_URL: nats.url };
  await using holder = new Cli(["register", "job", "--", "cat"], variables);
  holder.child.stdin?.write("hello\n");
  await holder.says("hello");
  await using waiting = new Cli(["register", "job", "--", "echo", "never"], variables);
  await waiting.says('waiting for "job": it is held by');
  waiting.signal("SIGINT");
  expect(await waiting.ended()).toBe(130);
  expect(waiting.stdout).toBe("");
  holder.child.stdin?.end();
  expect(await holder.ended()).toBe(0);
});
