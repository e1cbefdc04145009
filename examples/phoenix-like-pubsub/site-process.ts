import { createServer, type Server } from "node:http";
import { embeddedBus, natsBus } from "rollcall";
import { lossOf, type Plan, problemOf } from "./problems.ts";
import { openSite } from "./site.ts";

/*
 * One of the three, as a process. It is started by `main.ts`, tells it the port that it has got, and is told those of all. It ends
 * when that process does, when it is told to, or when its node is closed.
 */

const FAILED = 1;

const [name = "talk-1", host = "127.0.0.1", port = "0", busPort = "4229", cluster = "talk"] =
  process.argv.slice(2);
const { NATS_URL } = process.env;
const plan: Plan = { name, cluster, host, port: Number(port), busPort: Number(busPort), natsUrl: NATS_URL };

try {
  await run();
} catch (error) {
  const problem = problemOf(error, plan);
  if (problem === undefined) throw error;
  // Told, and not printed here: three of them may meet the same.
  process.send?.({ kind: "failed", problem }, () => process.exit(FAILED));
}

async function run(): Promise<void> {
  const server = createServer();
  await listening(server, plan.port, host);
  const address = server.address();
  tell({ kind: "listening", port: typeof address === "object" ? address?.port : undefined });
  const ports = await told();
  const bus = NATS_URL === undefined ? embeddedBus({ port: plan.busPort }) : natsBus({ servers: NATS_URL });
  const nowMs = () => performance.now();
  await using site = await openSite({ name, cluster, bus, server, host, ports, nowMs });
  tell({ kind: "ready" });
  // A web server without a node would keep visitors for whom nothing happens; without it they go to the others.
  const closed = await Promise.race([ended(), site.closed]);
  if (closed !== undefined) {
    console.error(lossOf(closed, plan));
    process.exitCode = FAILED;
  }
  // Else the line to the process that started this one would keep it alive.
  if (process.connected) process.disconnect?.();
}

function listening(to: Server, at: number, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    to.once("error", reject);
    to.listen(at, where, resolve);
  });
}

function tell(word: object): void {
  process.send?.(word);
}

function told(): Promise<readonly number[]> {
  return new Promise((resolve) => {
    process.once("message", (word: { readonly ports: readonly number[] }) => resolve(word.ports));
  });
}

/** Ctrl-C reaches all processes of a terminal, and this one ends when it is told to, or is alone. */
function ended(): Promise<void> {
  process.on("SIGINT", () => undefined);
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("disconnect", () => resolve());
  });
}
