import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { leaseTimes } from "../../src/lease/settings.ts";
import { redisLeases } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { StrictCluster } from "../support/strict-cluster.ts";
import { Witness } from "../support/witness.ts";
import type { Written } from "../support/worker/strict-commands.ts";
import type { Refusal, Worker } from "../support/worker-client.ts";

const TTL_MS = 3_000;
/** What a command's way to a worker and back may take on a busy machine. */
const SLACK_MS = 1_500;
/** For those that a test does not wait to see fail. */
const LONG_MS = 40_000;

const owned: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of owned.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

function own<T extends AsyncDisposable>(each: T): T {
  owned.push(each);
  return each;
}

async function refusal(promise: Promise<unknown>): Promise<Refusal> {
  return promise.then(
    () => {
      throw new Error("it was not refused");
    },
    (error: Refusal) => error,
  );
}

/** Every way to ask is refused with what is reached, in the time that it has. */
async function expectRefusals(worker: Worker, held: string, reached: number): Promise<void> {
  const { register, lookup } = {
    register: worker.node.strictRegister,
    lookup: worker.node.strictLookup,
  };
  for (const [what, timeoutMs, ask] of [
    ["register", 10_000, () => register("free", undefined, { timeoutMs: 10_000 })],
    ["register of a held name", 10_000, () => register(held, undefined, { timeoutMs: 10_000 })],
    ["a short register", 400, () => register("free", undefined, { timeoutMs: 400 })],
    ["a wait", 2_000, () => register("free", undefined, { timeoutMs: 2_000, wait: true })],
    ["lookup", 10_000, () => lookup(held, { timeoutMs: 10_000 })],
    ["a short lookup", 400, () => lookup(held, { timeoutMs: 400 })],
  ] as const) {
    const beganMs = performance.now();
    const refused = await refusal(ask());
    expect([what, refused]).toMatchObject([what, { code: "NO_QUORUM", reached, needed: 2 }]);
    // Those that do not wait in line are told after a third of the ttl, however much time they have.
    const withinMs = what === "a wait" ? timeoutMs : Math.min(timeoutMs, TTL_MS / 3);
    expect([what, performance.now() - beganMs < withinMs + SLACK_MS]).toEqual([what, true]);
  }
}

type Harm = readonly [harm: "SIGSTOP" | "SIGKILL", server: RedisServer];

describe("C3, C4: with two of three servers gone nothing is granted, holders stop in time, and service returns with one", () => {
  test.each([
    ["both stopped", ["SIGSTOP", "SIGSTOP"]],
    // It comes back as it was. One that was killed may have forgotten tokens, which two others would have to know.
    ["one stopped and one killed", ["SIGSTOP", "SIGKILL"]],
  ] as const)("%s", async (_what, signals) => {
    const strict = own(await StrictCluster.start(2, TTL_MS));
    const { cluster, redis } = strict;
    const [a, b] = cluster.workers;
    const process = await a.node.spawn("idle");
    await a.node.strictRegister("x", process);
    const harms = signals.map((signal, index): Harm => {
      const server = redis[index + 1];
      if (server === undefined) throw new Error("there are three servers");
      return [signal, server];
    });
    for (const [signal, server] of harms) server.signal(signal);
    // Nothing that was under way is answered any more.
    const { renewEveryMs, requestMs } = leaseTimes(redisLeases("redis://any", { ttlMs: TTL_MS }).settings);
    await eventually(
      async () => (await a.node.strictState("x")).remainingMs < TTL_MS - renewEveryMs - requestMs,
      { withinMs: 20_000 },
    );
    const sampledMs = Date.now();
    const { remainingMs } = await a.node.strictState("x");
    const { atMs } = await a.saw("leaseEnded", ({ name }) => name === "x");
    // The servers keep the session for longer than the holder counts on, by this much.
    const { lifeMs } = leaseTimes(redisLeases("redis://any", { ttlMs: TTL_MS }).settings);
    expect(atMs).toBeLessThan(sampledMs + remainingMs + TTL_MS - lifeMs);
    expect(a.seen("leaseEnded", ({ name }) => name === "x")).toMatchObject([{ isHeld: false }]);
    await a.saw("exited", ({ pid, reason }) => pid === process && reason.kind === "leaseLost");

    for (const worker of [a, b]) {
      await eventually(async () => (await worker.node.stats()).leases.reached === 1, { withinMs: 20_000 });
      await expectRefusals(worker, "x", 1);
    }
    const waiting = b.node.strictRegister("x", undefined, { wait: true, timeoutMs: LONG_MS });
    harms[0]?.[1].signal("SIGCONT");
    const again = await waiting;
    expect(await a.node.strictLookup("x", { timeoutMs: 10_000 })).toMatchObject({ pid: again.pid });
    expect((await b.node.stats()).leases).toMatchObject({ servers: 3, reached: 2, needed: 2 });
    await cluster.checkBugs();
  });
});

describe("C1, C2: a holder whose event loop stood still knows before its next message, and its late write is refused", () => {
  test.each([
    ["one server", 1, 1_000],
    ["three servers", 3, 600],
    ["three servers and a long ttl", 3, TTL_MS],
    ["five servers", 5, 1_000],
  ])("%s", async (_what, servers, ttlMs) => {
    const witness = own(await Witness.start());
    const strict = own(await StrictCluster.start(2, ttlMs, {}, servers));
    const [holder, heir] = strict.cluster.workers;
    const directory = await mkdtemp(join(tmpdir(), "rollcall-stall-"));
    own({ [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) });
    const wake = join(directory, "wake");
    const { pid, token } = await holder.node.strictRegister("x", undefined, { onLost: "notify" });
    const [late, onlooker] = [
      await holder.node.strictWriter("x", witness.port),
      await holder.node.strictWriter("x", witness.port),
    ];
    const call = (to: typeof pid, message: unknown): Promise<Written> =>
      heir.node.call(to, message, { timeoutMs: LONG_MS }) as Promise<Written>;
    expect(await call(late, undefined)).toMatchObject({
      before: { aborted: false, isHeld: true },
      isTaken: true,
    });
    // It looks, and finds that it holds the name; and before it writes, it stands still until somebody else has written.
    const writing = call(late, wake);
    await holder.saw("blocking");
    const next = await heir.node.strictRegister("x", undefined, { wait: true, timeoutMs: LONG_MS });
    expect(next.token).toBeGreaterThan(token);
    expect(await call(await heir.node.strictWriter("x", witness.port), undefined)).toMatchObject({
      isTaken: true,
    });
    // On its way while the loop stands still: it is in the socket when that wakes, together with whatever else came.
    const asked = call(onlooker, undefined);
    await heir.node.flushed();
    await writeFile(wake, "");
    expect(await asked).toEqual({ before: { aborted: true, isHeld: false, remainingMs: 0 } });
    expect(await writing).toMatchObject({ before: { aborted: false, isHeld: true }, isTaken: false });
    expect(witness.counts).toEqual({ taken: 2, refused: 1 });
    expect(await holder.node.isAlive(pid)).toBe(false);
    await strict.cluster.checkBugs();
  });
});

describe("C1, C2: the name of a holder that is killed is taken within the ttl and 2 s, with a higher token", () => {
  // A server that nobody has asked anything for half a ttl keeps out for another one: on a busy machine that must be long.
  const ttlMs = 2 * TTL_MS;

  test.each([1, 3, 5])("on %i servers", async (servers) => {
    const strict = own(await StrictCluster.start(2, ttlMs, {}, servers));
    const [doomed, heir] = strict.cluster.workers;
    const { token } = await doomed.node.strictRegister("x", undefined);
    const waiting = heir.node.strictContend("x", 1, LONG_MS);
    const isInLine = async (): Promise<boolean> => (await strict.inLine("x")).every((count) => count === 1);
    await eventually(isInLine, { withinMs: 20_000 });
    const killedMs = await strict.cluster.kill(doomed);
    const holding = await waiting;
    expect(holding.fromMs - killedMs).toBeLessThan(ttlMs + 2_000);
    expect(holding.token).toBeGreaterThan(token);
    await strict.cluster.checkBugs();
  });
});
