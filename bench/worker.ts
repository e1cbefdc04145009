// One of the processes of a contest. It holds a Rollcall node and a plain client, of which one rests while the other is measured.
import { connect, type NatsConnection } from "nats";
import { type ClusterNode, startNode } from "../src/index.ts";
import { benchmarkNamed, contestantsOf } from "./benchmarks.ts";
import type { Part } from "./contest.ts";
import { countingBus, type SentBytes } from "./counting-bus.ts";
import type { Command, Done, Report, Request, Setup } from "./protocol.ts";

const sent: SentBytes = { toAll: 0, toOne: 0 };
const parts = new Map<string, Part>();
let setup: Setup | undefined;
let node: ClusterNode | undefined;
let connection: NatsConnection | undefined;

process.on("message", (message) => void take(message as Request));

// Whoever started this is gone, without having been able to tidy up.
process.once("disconnect", () => {
  if (setup !== undefined) endServer(setup.serverPid);
  process.exit(1);
});

async function take(request: Request): Promise<void> {
  const id = request.kind === "setup" ? undefined : request.id;
  try {
    if (request.kind === "setup") {
      await start(request);
      report({ kind: "ready" });
    } else {
      const beganMs = nowMs();
      const done = await carryOut(request);
      const isLast = request.kind === "stop";
      report({ kind: "done", id: request.id, done: { beganMs, ...done } }, () => {
        if (isLast) process.exit(0);
      });
    }
  } catch (error) {
    report({
      kind: "failed",
      id,
      text: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

async function start(given: Setup): Promise<void> {
  setup = given;
  const name = `bench-${given.index}`;
  connection = await connect({ servers: given.url, name });
  node = await startNode({ cluster: `bench-${given.benchmark}`, name, bus: countingBus(given.url, sent) });
}

async function carryOut(command: Command): Promise<Omit<Done, "beganMs">> {
  switch (command.kind) {
    case "open":
      await open(command.contestant);
      break;
    case "step":
      await step(command);
      break;
    case "tally":
      break;
    case "stop":
      await node?.stop();
      await connection?.close();
      break;
  }
  return { endedMs: nowMs(), sent: { ...sent } };
}

async function open(name: string): Promise<void> {
  if (setup === undefined || node === undefined || connection === undefined) throw new Error("not set up");
  const contestants = contestantsOf(benchmarkNamed(setup.benchmark));
  const contestant = contestants.find((each) => each.name === name);
  if (contestant === undefined) throw new Error(`no contestant is called ${name}`);
  parts.set(name, await contestant.open({ index: setup.index, node, connection }));
}

async function step({ contestant, step, round }: Extract<Command, { kind: "step" }>): Promise<void> {
  const part = parts.get(contestant);
  if (part === undefined) throw new Error(`${contestant} was not opened`);
  await part[step](round);
  if (step !== "prepare") return;
  // The garbage of one contestant must not be collected in the time of the other.
  globalThis.gc?.();
  sent.toAll = 0;
  sent.toOne = 0;
}

/** Since the machine started: unlike `performance.now()`, the same in every process of it. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function report(message: Report, sent: () => void = () => {}): void {
  process.send?.(message, sent);
}

function endServer(pid: number): void {
  try {
    process.kill(pid);
  } catch {
    // It is gone already.
  }
}
