import { describe, expect, test } from "vitest";
import { leaseTimes } from "../../src/lease/settings.ts";
import { eventually } from "../support/eventually.ts";
import { JetstreamCluster } from "../support/jetstream-cluster.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { type LeaseStage, StrictCluster } from "../support/strict-cluster.ts";
import type { StrictQuestion } from "../support/worker/strict-commands.ts";
import type { Worker } from "../support/worker-client.ts";

/** How late a timer may be, by another one of the same process. */
const SLACK_MS = 1_500;
/** For one that waits until service is back. */
const LONG_MS = 40_000;
/** Far above what any condition takes. */
const SOON = { withinMs: 30_000 };

/** What the nodes reach, as they see it. */
interface Reach {
  readonly servers: number;
  readonly needed: number;
  /** When two of three servers are gone. */
  readonly reachedWithOne: number;
  /** When one of these is back. */
  readonly reachedWithTwo: number;
}

const REDIS: Reach = { servers: 3, needed: 2, reachedWithOne: 1, reachedWithTwo: 2 };
/** The stream is one server, whatever it is kept on. */
const JETSTREAM: Reach = { servers: 1, needed: 1, reachedWithOne: 0, reachedWithTwo: 1 };

type Start = () => Promise<LeaseStage>;
const onRedis: Start = () => StrictCluster.start(2, 3_000);
const onJetstream: Start = () => JetstreamCluster.start(2, 15_000);

/** Every way to ask is refused with what is reached, in the time that it has. */
async function expectRefusals(
  worker: Worker,
  ttlMs: number,
  { needed, reachedWithOne }: Reach,
): Promise<void> {
  const asks: readonly StrictQuestion[] = [
    ["register", "free", { timeoutMs: 10_000 }],
    // It is held.
    ["register", "x", { timeoutMs: 10_000 }],
    ["register", "other", { timeoutMs: 400 }],
    ["register", "awaited", { timeoutMs: 2_000, wait: true }],
    ["lookup", "x", { timeoutMs: 10_000 }],
    ["lookup", "x", { timeoutMs: 400 }],
  ];
  const each = asks.map(async (ask) => {
    const [, , { timeoutMs = 0, ...options }] = ask;
    // Those that do not wait in line are told after a third of the ttl, however much time they have.
    const withinMs = "wait" in options ? timeoutMs : Math.min(timeoutMs, ttlMs / 3);
    const outcome = await worker.node.strictWithin(withinMs + SLACK_MS, ask).catch((error: unknown) => error);
    expect([ask, outcome]).toMatchObject([ask, { code: "NO_QUORUM", reached: reachedWithOne, needed }]);
  });
  await Promise.all(each);
}

type Harm = readonly ["SIGSTOP" | "SIGKILL", "SIGSTOP" | "SIGKILL"];

describe("C3, C4: with two of three servers gone nothing is granted, holders stop in time, and service returns with one", () => {
  test.each([
    ["Redis: both stopped", onRedis, REDIS, ["SIGSTOP", "SIGSTOP"]],
    // The first comes back as it was. One that was killed may have forgotten tokens, which two others would have to know.
    ["Redis: one stopped and one killed", onRedis, REDIS, ["SIGSTOP", "SIGKILL"]],
    ["JetStream: both stopped", onJetstream, JETSTREAM, ["SIGSTOP", "SIGSTOP"]],
    // The first comes back with its data.
    ["JetStream: both killed", onJetstream, JETSTREAM, ["SIGKILL", "SIGKILL"]],
  ] as const satisfies readonly (readonly [string, Start, Reach, Harm])[])(
    "%s",
    async (_what, start, reach, signals) => {
      await using stage = await start();
      const { ttlMs } = stage.settings;
      const { lifeMs, renewEveryMs, requestMs } = leaseTimes(stage.settings);
      const [a, b] = stage.cluster.running;
      const [, first, second] = stage.servers;
      if (a === undefined || b === undefined || first === undefined || second === undefined)
        throw new Error("there are two nodes and three servers");
      const process = await a.node.spawn("idle");
      await a.node.strictRegister("x", process);
      first.signal(signals[0]);
      second.signal(signals[1]);
      // Nothing that was under way is answered any more.
      await eventually(
        async () => (await a.node.strictState("x")).remainingMs < ttlMs - renewEveryMs - requestMs,
        SOON,
      );
      const sampledMs = Date.now();
      const { remainingMs } = await a.node.strictState("x");
      const { atMs } = await a.saw("leaseEnded", ({ name }) => name === "x");
      // The servers keep the session for longer than the holder counts on, by this much.
      expect(atMs).toBeLessThan(sampledMs + remainingMs + ttlMs - lifeMs);
      expect(a.seen("leaseEnded", ({ name }) => name === "x")).toMatchObject([{ isHeld: false }]);
      await a.saw("exited", ({ pid, reason }) => pid === process && reason.kind === "leaseLost");

      await Promise.all(
        [a, b].map(async (worker) => {
          await eventually(
            async () => (await worker.node.stats()).leases.reached === reach.reachedWithOne,
            SOON,
          );
          await expectRefusals(worker, ttlMs, reach);
        }),
      );
      const waiting = b.node.strictRegister("x", undefined, { wait: true, timeoutMs: LONG_MS });
      await bringBack(first, signals[0]);
      const again = await waiting;
      // Each node connects again in its own time.
      await eventually(async () => (await a.node.stats()).leases.reached === reach.reachedWithTwo, SOON);
      expect(await a.node.strictLookup("x", { timeoutMs: 10_000 })).toMatchObject({ pid: again.pid });
      const { needed, reachedWithTwo: reached, servers } = reach;
      expect((await b.node.stats()).leases).toMatchObject({ servers, reached, needed });
      await stage.cluster.checkBugs();
    },
    180_000,
  );
});

async function bringBack(server: ServerProcess, from: Harm[number]): Promise<void> {
  if (from === "SIGSTOP") server.signal("SIGCONT");
  else await server.run();
}
