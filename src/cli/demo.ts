import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { parseArgs } from "node:util";
import { realClock } from "../node/real-clock.ts";
import { Narrator, pageOf } from "./demo/narrator.ts";
import { tellStory } from "./demo/scenes.ts";
import { Stage, StepFailed } from "./demo/stage.ts";

/*
 * `npm run demo`: what Rollcall does, told in one terminal in half a minute, with real processes, and checked as it is told.
 * `npm run demo -- --once` ends with the story, with exit code 0 only if every step happened.
 */

const HELP = `Usage: npm run demo [-- --once]

Starts five nodes on this machine, over the embedded bus, or over NATS when NATS_URL is set, and tells
what happens to them. Without --once they live on at the end, for you to try things, until Ctrl-C.`;

/** Exit codes, as shells have them: for a program that was called wrongly, and for one that Ctrl-C ended. */
const MISUSED = 2;
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const wish = readWish();
  if (wish === "help" || wish === "nonsense") {
    process.stdout.write(`${HELP}\n`);
    return wish === "help" ? 0 : MISUSED;
  }
  const narrator = new Narrator(pageOf(process.stdout, process.env), realClock);
  const stage = new Stage(narrator, realClock);
  const interrupted = untilInterrupted();
  const { NATS_URL: natsUrl } = process.env;
  const bus = natsUrl === undefined ? { port: await freePort() } : { servers: natsUrl.split(",") };
  // A cluster and a port of its own, so that it meets no other demo, and nothing of yours.
  const cluster = `demo-${process.pid}-${realClock.now().wallMs.toString(36)}`;
  narrator.title(
    "Rollcall: names, groups and who is alive, over a cluster of Node.js processes",
    `Over ${natsUrl === undefined ? "the embedded bus" : "NATS"}. Times are seconds since the start.`,
  );
  try {
    const ended = await Promise.race([
      tellStory(stage, { cluster, bus }).then(() => "told" as const),
      interrupted,
    ]);
    if (ended === "interrupted") return INTERRUPTED;
    narrator.plain(`\nThat was all: ${narrator.checks} claims, each found to hold.`);
    if (wish === "stay") await linger(stage, interrupted);
    return 0;
  } catch (error) {
    if (!(error instanceof StepFailed)) narrator.breaks(String(error));
    stage.tellComplaints();
    return 1;
  } finally {
    narrator.hush();
    await stage.stop();
  }
}

function readWish(): "once" | "stay" | "help" | "nonsense" {
  try {
    const { values } = parseArgs({
      options: { once: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help === true) return "help";
    return values.once === true ? "once" : "stay";
  } catch {
    return "nonsense";
  }
}

/** Free a moment ago, at least: the system does not give the same one out again at once. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function untilInterrupted(): Promise<"interrupted"> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve("interrupted"));
  });
}

/** The reader tries things, and sees what the nodes see. */
async function linger(stage: Stage, interrupted: Promise<unknown>): Promise<void> {
  const { narrator } = stage;
  narrator.plain("\nThe nodes live on. Try in another terminal, and see here what the others see:");
  for (const { name, osPid } of stage.alive) narrator.plain(`  kill -9 ${osPid}     # ${name}`);
  narrator.plain("Ctrl-C ends it.\n");
  for (const member of stage.alive) {
    member.onSighting = ({ atMs, sighting }) => {
      const { kind, ...details } = sighting;
      narrator.saw(atMs, `${member.name} saw ${kind} ${Object.values(details).join(", ")}`);
    };
  }
  await Promise.race([interrupted, stage.allEnded()]);
}

process.exitCode = await main();
