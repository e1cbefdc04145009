import { expect, test } from "vitest";
import type { LeaseReply } from "../../../src/lease/requests.ts";
import { leaseTimes } from "../../../src/lease/settings.ts";
import type { Member } from "./member.ts";
import { type Get, type LeaseHarness, SERVER } from "./stage.ts";

export function describeGuard(get: Get): void {
  const guarded = async (): Promise<Extract<LeaseReply, { kind: "guarded" }>> => {
    const status = await get().status();
    if (status.kind !== "guarded") throw new Error(`it should keep out, and is ${status.kind}`);
    return status;
  };
  const reconnected = async (member: Member): Promise<void> => {
    await member.peer.connected(SERVER);
    member.connection += 1;
  };

  test("a server that nobody asked anything for more than half a ttl keeps out, and then is ready with its data", async () => {
    const { ttlMs, harness } = get();
    if (harness.losing === undefined) return;
    const a = await get().member("a");
    const token = await a.take("x");
    await harness.pass(0.7 * ttlMs);
    expect(await a.renew()).toMatchObject({ kind: "guarded", needsFloor: false, empty: false });
    const { waitMs } = await guarded();
    expect(waitMs).toBeLessThanOrEqual(leaseTimes(harness.store.settings).guardMs);
    expect(waitMs).toBeGreaterThan(0.9 * ttlMs);
    await get().pass(waitMs + 1);
    expect(await get().status()).toMatchObject({ kind: "ready" });
    expect(await a.renew()).toEqual({ kind: "noSession" });
    expect(await (await get().member("b")).take("x")).toBeGreaterThan(token);
  });

  const losses = [
    ["restarted with its data", false, ({ losing }: LeaseHarness) => losing?.restart(SERVER, "kept")],
    ["restarted without data", true, ({ losing }: LeaseHarness) => losing?.restart(SERVER, "lost")],
    ["wiped as it runs", true, ({ losing }: LeaseHarness) => losing?.wipe(SERVER)],
  ] as const;

  test.each(losses)(
    "a server that was %s keeps out, renewals included, until it has a floor",
    async (...[how, empty, lose]) => {
      const { harness } = get();
      if (harness.losing === undefined) return;
      const a = await get().member("a");
      await a.take("x");
      await lose(harness);
      await reconnected(a);
      const { guard, upMs, waitMs } = await guarded();
      // It must not be taken for one that was never used.
      if (how === "wiped as it runs") expect(upMs).toBe(0);
      expect(await guarded()).toMatchObject({ guard, needsFloor: true, empty });
      expect(await a.renew()).toMatchObject({ kind: "guarded", guard });
      const recover = { kind: "recover", guard, floor: 40_000, first: false } as const;
      expect(await a.peer.ask(SERVER, recover)).toMatchObject({ kind: "guarded", guard });
      await get().pass(waitMs + 1);
      expect(await guarded()).toMatchObject({ guard, waitMs: 0, needsFloor: true });
      expect(await a.peer.ask(SERVER, recover)).toEqual({ kind: "ready", maxToken: 40_000 });
      expect(await a.renew()).toEqual({ kind: "noSession" });
      expect(await (await get().member("b")).take("x")).toBe(40_001);
    },
  );

  test("a floor that was meant for an earlier guard is refused", async () => {
    const { harness } = get();
    if (harness.losing === undefined) return;
    const a = await get().member("a");
    await harness.losing.restart(SERVER, "lost");
    await reconnected(a);
    const earlier = await guarded();
    await harness.losing.restart(SERVER, "lost");
    await reconnected(a);
    const { guard, waitMs } = await guarded();
    expect(guard).not.toBe(earlier.guard);
    await get().pass(waitMs + 1);
    const recover = { kind: "recover", floor: 7, first: false } as const;
    const late = await a.peer.ask(SERVER, { ...recover, guard: earlier.guard });
    expect(late).toMatchObject({ kind: "guarded", guard });
  });
}
