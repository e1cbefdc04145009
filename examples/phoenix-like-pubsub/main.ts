import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { hostsOf } from "./hosts.ts";
import { type Options, readOptions, USAGE, UsageError } from "./options.ts";

const NODES = ["talk-1", "talk-2", "talk-3"] as const;

/** Exit codes, as shells have them: for what could not start, for a wrong call, and for Ctrl-C. */
const FAILED = 1;
const MISUSED = 2;
const INTERRUPTED = 130;

/** How long a node may take to leave in good order. */
const END_MS = 5_000;

const SITE = fileURLToPath(new URL("./site.ts", import.meta.url));

interface Site {
  readonly name: string;
  readonly child: ChildProcess;
  /** What it says next, of this kind. Rejects if it ends before. */
  next(kind: "listening" | "ready"): Promise<{ readonly port?: number }>;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), NODES.length);
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(INTERRUPTED));
  });
  const sites = NODES.map((name, index) => startSite(name, index, options));
  try {
    return await Promise.race([interrupted, run(sites, options)]);
  } finally {
    await Promise.all(sites.map(ended));
  }
}

/** Until the last of them is gone. */
async function run(sites: readonly Site[], { host }: Options): Promise<number> {
  const gone = sites.map(({ child }) => whenGone(child));
  const heard = await Promise.all(sites.map((site) => site.next("listening")));
  const ports = heard.map(({ port }) => port);
  const ready = sites.map((site) => site.next("ready"));
  for (const { child } of sites) child.send({ ports });
  await Promise.all(ready);
  console.log("Rate the talk, on any of these:\n");
  for (const [index, { child, name }] of sites.entries()) {
    const urls = hostsOf(host).map((each) => `http://${each}:${ports[index]}`);
    console.log(`  ${name}   ${urls.join("   ")}   (process ${child.pid})`);
  }
  console.log("\nOpen two of them. Then end one of these processes: kill -9 …   Ctrl-C ends all.");
  for (const [index, { name }] of sites.entries()) {
    void gone[index]?.then(() => console.log(`${name} is gone; its visitors go to the others`));
  }
  await Promise.all(gone);
  return FAILED;
}

function startSite(name: string, index: number, { busPort, host, port }: Options): Site {
  const words = [name, host, `${port === 0 ? 0 : port + index}`, `${busPort}`];
  const child = fork(SITE, words, {
    execArgv: process.execArgv,
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let complaint = "";
  child.stderr?.on("data", (data: Buffer) => {
    process.stderr.write(data);
    complaint = (complaint + data.toString()).slice(-2_000);
  });
  const next = (kind: string): Promise<{ readonly port?: number }> =>
    new Promise((resolve, reject) => {
      const hear = (word: { readonly kind: string; readonly port?: number }): void => {
        if (word.kind !== kind) return;
        child.off("message", hear);
        resolve(word);
      };
      child.on("message", hear);
      child.once("exit", () => {
        const isTaken = complaint.includes("EADDRINUSE");
        reject(
          new Error(
            isTaken ? `port ${port + index} is taken: give others with --port` : `${name} could not start`,
          ),
        );
      });
    });
  return { name, child, next };
}

function whenGone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve());
  });
}

/** It says goodbye to the cluster first, unless that takes too long. */
async function ended({ child, name }: Site): Promise<void> {
  const gone = whenGone(child);
  child.kill("SIGTERM");
  const timer = setTimeout(() => {
    console.error(`${name} did not end in time, and was killed`);
    child.kill("SIGKILL");
  }, END_MS);
  await gone;
  clearTimeout(timer);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof UsageError ? MISUSED : FAILED;
  },
);
