import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { StrictCluster } from "../support/strict-cluster.ts";
import { Witness } from "../support/witness.ts";
import type { Written } from "../support/worker/strict-commands.ts";

const TTL_MS = 3_000;
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
