import { describe, expect, test } from "vitest";
import {
  LeaseLostError,
  type NoQuorumError,
  NoSuchNameError,
  NoSuchProcessError,
} from "../../../../src/kernel/errors.ts";
import type { ExitReason } from "../../../../src/kernel/exit-reason.ts";
import type { Lease } from "../../../../src/node/strict/types.ts";
import { setUp, stall, TTL_MS } from "./stage.ts";

describe("a lease", () => {
  test("is over before the servers are asked when it is released, and that resolves without them", async () => {
    const { cutAll, shells, start } = setUp("release");
    const a = await start("a");
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    cutAll();
    let atAbort: boolean | undefined;
    lease.signal.addEventListener("abort", () => {
      atAbort = lease.isHeld();
    });
    const released = lease.release();
    expect(lease.isHeld()).toBe(false);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toMatchObject({ name: "AbortError" });
    expect(atAbort).toBe(false);
    expect(lease.release()).toBe(released);
    await shells.until(released, 3_000);
  });

  test("is released by disposal", async () => {
    const { shells, start } = setUp("disposal");
    const a = await start("a");
    const process = a.spawn();
    const lease = await shells.until(a.strictNames.register("x", process));
    await shells.until(Promise.resolve(lease[Symbol.asyncDispose]()));
    expect(lease.isHeld()).toBe(false);
    await shells.until(a.strictNames.register("x", process));
  });

  test("ends with its process, at once, and the name is free for others", async () => {
    const { shells, start } = setUp("exit");
    const [a, b] = [await start("a"), await start("b")];
    const process = a.spawn();
    const leases = await shells.until(
      Promise.all(["x", "y", "z"].map((name) => a.strictNames.register(name, process))),
    );
    const aborted: boolean[] = [];
    process.signal.addEventListener("abort", () => {
      aborted.push(...leases.map(({ signal }) => signal.aborted));
    });
    const { requests } = a.stats().leases;
    process.exit();
    expect(leases.map((lease) => lease.isHeld())).toEqual([false, false, false]);
    expect(aborted).toEqual([true, true, true]);
    await shells.run(0);
    expect(a.stats().leases.requests - requests).toBe(3);
    await shells.run(20);
    await shells.until(b.strictNames.register("y", b.spawn()), 200);
  });

  test("is never given to a process that ends while it is asked for", async () => {
    const { failure, shells, start } = setUp("exit meanwhile");
    const [a, b] = [await start("a"), await start("b")];
    const outcomes = new Set<boolean>();
    for (const afterMs of [0, 0.5, 1, 2, 3, 5]) {
      const process = a.spawn();
      const asked = a.strictNames.register("x", process);
      const ended = asked.catch((error: unknown) => error);
      await shells.run(afterMs);
      process.exit();
      const outcome = await shells.until(ended);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(NoSuchProcessError);
      else expect((outcome as Lease).isHeld()).toBe(false);
      outcomes.add(outcome instanceof Error);
      await shells.run(20);
      const next = await shells.until(b.strictNames.register("x", b.spawn()), 1_000);
      await shells.until(next.release());
    }
    expect(outcomes).toEqual(new Set([true, false]));
    expect(await failure(a.call({ strictName: "x" }, 1))).toBeInstanceOf(NoSuchNameError);
  });

  test("that cannot be proven any more aborts its signal, then ends its process, before its end", async () => {
    const { cutAll, shells, start } = setUp("lost");
    const a = await start("a");
    const process = a.spawn();
    const lease = await shells.until(a.strictNames.register("x", process));
    const told: [string, boolean][] = [];
    lease.signal.addEventListener("abort", () => told.push(["lease", process.signal.aborted]));
    process.signal.addEventListener("abort", () => told.push(["process", lease.isHeld()]));
    const ends: ExitReason[] = [];
    void process.exited.then((reason) => ends.push(reason));
    cutAll();
    const endsMs = shells.clock.now().monotonicMs + lease.remainingMs();
    await shells.run(lease.remainingMs() - 5);
    expect(lease.isHeld()).toBe(true);
    await shells.eventually(() => lease.signal.aborted);
    expect(shells.clock.now().monotonicMs).toBeLessThan(endsMs + 5);
    expect(told).toEqual([
      ["lease", false],
      ["process", false],
    ]);
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
    expect(lease.signal.reason).toMatchObject({ lostName: "x", token: lease.token });
    await shells.run(1);
    expect(ends).toEqual([{ kind: "leaseLost", name: "x" }]);
    expect(a.stats().leases).toMatchObject({ held: 0, lost: 1 });
  });

  test("is over for everyone before the first process ends of those that lose theirs together", async () => {
    const { cutAll, shells, start } = setUp("together");
    const a = await start("a");
    const processes = [a.spawn(), a.spawn(), a.spawn()];
    const leases = await shells.until(
      Promise.all(processes.map((process, index) => a.strictNames.register(`n${index}`, process))),
    );
    const aborted: boolean[][] = [];
    for (const { signal } of processes) {
      signal.addEventListener("abort", () => aborted.push(leases.map((lease) => lease.signal.aborted)));
    }
    cutAll();
    await shells.run(TTL_MS);
    expect(aborted).toEqual(processes.map(() => [true, true, true]));
  });

  test("that is lost is told to a process that wants to live on", async () => {
    const { cutAll, healAll, shells, start } = setUp("notify");
    const a = await start("a");
    const notices: unknown[] = [];
    const process = a.spawn(undefined, { onNotice: (notice) => notices.push(notice) });
    const lease = await shells.until(a.strictNames.register("x", process, { onLost: "notify" }));
    cutAll();
    await shells.run(TTL_MS);
    expect(notices).toEqual([{ kind: "leaseLost", name: "x", scope: "default" }]);
    expect(lease.isHeld()).toBe(false);
    expect(process.signal.aborted).toBe(false);
    healAll();
    // Nobody has asked the servers anything for so long that they keep out for a while.
    const asked = a.strictNames.register("x", process, { wait: true, timeoutMs: 2 * TTL_MS });
    const again = await shells.until(asked);
    expect(again.token).toBeGreaterThan(lease.token);
  });

  test.each(["signal", "isHeld"])(
    "says so after a stall by its %s, before the next message is handled",
    async (what) => {
      const { shells, start } = setUp(`stall ${what}`);
      const [a, b] = [await start("a"), await start("b")];
      const seen: unknown[] = [];
      const holder = a.spawn(undefined, { onNotice: () => {} });
      const lease = await shells.until(a.strictNames.register("x", holder, { onLost: "notify" }));
      const worker = a.spawn(() => {
        seen.push(what === "signal" ? lease.signal.aborted : !lease.isHeld());
      });
      b.send(worker, "before");
      await shells.run(50);
      stall(shells, 1_000);
      a.send(worker, "a short one");
      await shells.run(0);
      b.send(worker, "on its way");
      stall(shells, TTL_MS);
      a.send(worker, "after");
      await shells.run(50);
      expect(seen).toEqual([false, false, true, true]);
    },
  );

  test("of a calendar that leaps ahead counts as run out: the machine may have slept", async () => {
    const { shells, start } = setUp("sleep");
    const a = await start("a");
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    stall(shells, TTL_MS);
    expect(lease.isHeld()).toBe(false);
    expect(lease.signal.aborted).toBe(true);
  });

  test("of every name is given back by one request to each server when the node stops", async () => {
    const { shells, start } = setUp("stop");
    const [a, b] = [await start("a"), await start("b")];
    const names = Array.from({ length: 200 }, (_, index) => `n${index}`);
    const leases = await shells.until(
      Promise.all(names.map((name) => a.strictNames.register(name, a.spawn()))),
    );
    const waiter = b.strictNames.register("n7", b.spawn(), { wait: true });
    await shells.run(100);
    // Asked for in one turn, too: one request to each server, and a few to open and renew the sessions.
    expect(a.stats().leases.requests).toBeLessThan(20);
    const stopped = a.stop();
    expect(leases.some((lease) => lease.isHeld() || !lease.signal.aborted)).toBe(false);
    const lease = await shells.until(waiter, 250);
    expect(lease.isHeld()).toBe(true);
    await shells.until(stopped);
    await shells.until(
      Promise.all(names.slice(8, 40).map((name) => b.strictNames.register(name, b.spawn()))),
    );
    await shells.until(leases[0]?.release() ?? Promise.reject(new Error("none")));
  });

  test("of thousands asked for at once: a few hundred at a time, and all in the end", async () => {
    const { cutAll, shells, start } = setUp("burst");
    const a = await start("a");
    const process = a.spawn(undefined, { onNotice: () => {} });
    const names = Array.from({ length: 3_000 }, (_, index) => `n${index}`);
    const { requests } = a.stats().leases;
    const asked = names.map((name) => a.strictNames.register(name, process, { onLost: "notify" }));
    expect(a.stats().leases.registering).toBe(3_000);
    await shells.run(0);
    // 512, by requests about 256 each.
    expect(a.stats().leases.requests - requests).toBe(2 * 3);
    await shells.until(Promise.all(asked));
    expect(a.stats().leases).toMatchObject({ registering: 0, held: 3_000 });
    cutAll();
    const more = names.map((name) =>
      a.strictNames.register(`more ${name}`, process, { timeoutMs: 5_000 }).catch((error: unknown) => error),
    );
    // Each had its own time, whenever its turn came.
    const refused = await shells.until(Promise.all(more), 5_010);
    expect(new Set(refused.map((error) => (error as NoQuorumError).code))).toEqual(new Set(["NO_QUORUM"]));
  });

  test("of thousands asked for at once, and not wanted any more before their turn, is not asked for", async () => {
    const { shells, start } = setUp("unwanted");
    const a = await start("a");
    const process = a.spawn();
    const unwanted = new AbortController();
    const names = Array.from({ length: 2_000 }, (_, index) => `n${index}`);
    const { requests } = a.stats().leases;
    const asked = names.map((name, index) =>
      a.strictNames
        .register(name, process, index < 512 ? {} : { signal: unwanted.signal })
        .catch((error: unknown) => error),
    );
    await shells.run(0);
    unwanted.abort(new Error("enough"));
    const outcomes = await shells.until(Promise.all(asked));
    expect(outcomes.filter((outcome) => outcome instanceof Error)).toHaveLength(2_000 - 512);
    expect(a.stats().leases.requests - requests).toBe(2 * 3);
    // Nor does it make room for more at once than there was.
    const before = a.stats().leases.requests;
    const more = names.map((name) => a.strictNames.register(`more ${name}`, process));
    await shells.run(0);
    expect(a.stats().leases.requests - before).toBe(2 * 3);
    await shells.until(Promise.all(more));
  });

  test.each(["exit", "drain"])(
    "of thousands asked for at once is not asked for any more on %s, but for those whose turn it was",
    async (end) => {
      const { shells, start } = setUp(`many at ${end}`);
      const a = await start("a");
      // Who keeps the node from being drained at once.
      const [process, other] = [a.spawn(undefined, { onNotice: () => new Promise(() => {}) }), a.spawn()];
      const ask = (index: number, by = process): Promise<unknown> =>
        a.strictNames.register(`n${index}`, by).catch((error: unknown) => (error as NoQuorumError).code);
      const asked = Array.from({ length: 3_000 }, (_, index) => ask(index));
      const behind = [ask(3_000, other), ask(3_001, other)];
      await shells.run(0);
      const { requests } = a.stats().leases;
      const ended = end === "exit" ? process.exit() : a.drain({ deadlineMs: 1_000 });
      await shells.run(0);
      const code = end === "exit" ? "NO_SUCH_PROCESS" : "BUS_CLOSED";
      expect(new Set(await Promise.all(asked))).toEqual(new Set([code]));
      expect(a.stats().leases).toMatchObject({ registering: end === "exit" ? 2 : 0, held: 0 });
      // To take back the 512, one by one, and no more; and for those behind.
      expect(a.stats().leases.requests - requests).toBeLessThanOrEqual(3 * (512 + 2));
      const outcomes = await shells.until(Promise.all(behind));
      expect(outcomes.filter((outcome) => outcome === code)).toHaveLength(end === "exit" ? 0 : 2);
      await shells.until(Promise.resolve(ended));
    },
  );

  test("is not waited for any more when its node drains", async () => {
    const { failure, shells, start } = setUp("drain");
    const [a, b] = [await start("a"), await start("b")];
    const lease = await shells.until(b.strictNames.register("x", b.spawn()));
    const waiting = failure(a.strictNames.register("x", a.spawn(), { wait: true }));
    await shells.run(100);
    const drained = a.drain({ deadlineMs: 1_000 });
    expect(await waiting).toMatchObject({ code: "BUS_CLOSED" });
    await expect(a.strictNames.register("y", a.spawn())).rejects.toMatchObject({ code: "BUS_CLOSED" });
    await shells.until(drained);
    expect(lease.isHeld()).toBe(true);
  });

  test("costs as many renewals for 1,000 names as for one", async () => {
    const { shells, start } = setUp("renewals");
    const [a, b] = [await start("a"), await start("b")];
    await shells.until(a.strictNames.register("one", a.spawn()));
    const names = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
    const process = b.spawn();
    await shells.until(Promise.all(names.map((name) => b.strictNames.register(name, process))));
    await shells.run(TTL_MS);
    const before = [a, b].map((node) => node.stats().leases.requests);
    await shells.run(10 * TTL_MS);
    const [ofOne = 0, ofMany = 0] = [a, b].map((node, i) => node.stats().leases.requests - (before[i] ?? 0));
    expect(ofOne).toBeGreaterThan(80);
    expect(Math.abs(ofMany - ofOne)).toBeLessThanOrEqual(3);
  });
});
