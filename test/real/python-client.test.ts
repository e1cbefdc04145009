import { type ChildProcess, spawn } from "node:child_process";
import { afterEach, expect, test } from "vitest";
import { endWithUs } from "../support/end-with-us.ts";
import { eventually } from "../support/eventually.ts";
import { type Served, ServiceStage } from "../support/service-stage.ts";

const SOON = { withinMs: 20_000 };
const running = new Set<ChildProcess>();

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

class Python {
  output = "";
  exitCode: number | null = null;
  readonly #child: ChildProcess;

  constructor(url: string, ...words: readonly string[]) {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
    this.#child = spawn("python3", ["examples/python-client/echo.py", "--url", url, ...words], { env });
    running.add(this.#child);
    endWithUs(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (data: Buffer) => {
        this.output += data.toString();
      });
    this.#child.on("exit", (code) => {
      this.exitCode = code;
    });
  }

  async says(words: string): Promise<void> {
    await eventually(() => this.output.includes(words), SOON);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

function holder({ node }: Served, name: string): unknown {
  return node.names.whereis(name)?.meta;
}

test("a Python program registers, joins, hears a broadcast, answers a call, and loses its name when it is killed", async () => {
  await using stage = await ServiceStage.start();
  const here = await stage.serve();
  const there = await stage.serve();
  const python = new Python(here.service.url, "--ttl", "1", "py/1", "pythons");
  await python.says("ready");
  await eventually(() => holder(there, "py/1") !== undefined, SOON);
  expect(holder(there, "py/1")).toEqual({ language: "python" });
  await eventually(() => there.node.groups.count("pythons") === 1, SOON);
  there.node.groups.publish("pythons", { text: "hé" });
  await python.says("message {'text': 'hé'}");
  expect(await there.node.call({ name: "py/1" }, [1, null])).toEqual({ "you said": [1, null] });
  python.signal("SIGKILL");
  await eventually(() => holder(there, "py/1") === undefined, SOON);
  await eventually(() => there.node.groups.count("pythons") === 0, SOON);
}, 60_000);

test("ended with Ctrl-C it gives its name back at once; taken, it is told so", async () => {
  await using stage = await ServiceStage.start();
  const here = await stage.serve();
  const python = new Python(here.service.url, "--ttl", "3600", "py/2", "pythons");
  await python.says("ready");
  const second = new Python(here.service.url, "py/2", "pythons");
  await second.says('refused: name "py/2" is held by');
  await eventually(() => second.exitCode === 1, SOON);
  python.signal("SIGINT");
  await eventually(() => holder(here, "py/2") === undefined, SOON);
  await eventually(() => python.exitCode === 0, SOON);
}, 60_000);

test("a Python program is told when the session is ended by the server", async () => {
  await using stage = await ServiceStage.start();
  const here = await stage.serve();
  const python = new Python(here.service.url, "py/3", "pythons");
  await python.says("ready");
  await here.service.close({ deadlineMs: 5_000 });
  await python.says("ended");
  await eventually(() => python.exitCode === 0, SOON);
}, 60_000);
