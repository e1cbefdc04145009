import { expect, test } from "vitest";
import { NoQuorumError } from "../../../../src/kernel/errors.ts";
import { setUp, TTL_MS } from "./stage.ts";

test("strict names on servers that all nodes have left alone come in the end, with the defaults", async () => {
  const { shells, start } = setUp("left alone");
  const a = await start("a");
  await shells.until(a.strictNames.register("x", a.spawn()));
  await shells.until(a.stop());
  await shells.run(2 * TTL_MS);
  const b = await start("b");
  const beganMs = shells.clock.now().monotonicMs;
  const asked = [
    b.strictNames.register("x", b.spawn()),
    b.strictNames.lookup("y"),
    b.strictNames.register("z", b.spawn(), { wait: true }),
  ];
  const failed = b.strictNames.register("x", b.spawn(), { timeoutMs: TTL_MS / 2 }).catch((error) => error);
  const error: unknown = await shells.until(failed);
  expect(error).toBeInstanceOf(NoQuorumError);
  expect(error).toMatchObject({ reached: 0, needed: 2, keptOut: 3 });
  expect((error as Error).message).toMatch(
    /^strictNames\.register\("x"\): 0 of 3 lease servers take part, 2 are needed; 3 answer, and keep out for up to \d\.\d s more: they were started, wiped or left alone$/,
  );
  await shells.until(Promise.all(asked));
  expect(shells.clock.now().monotonicMs - beganMs).toBeLessThan(1.1 * TTL_MS);
});

test("whoever stands in line with the defaults does so for three ttl", async () => {
  const { cutAll, shells, start } = setUp("defaults");
  const [a, b] = [await start("a"), await start("b", { limits: { registerMs: 1_000 } })];
  await shells.until(a.strictNames.register("x", a.spawn()));
  const timesOf = async (asked: Promise<unknown>): Promise<unknown> =>
    shells.until(asked.catch((error: unknown) => (error as { timeoutMs?: number }).timeoutMs));
  expect(await timesOf(b.strictNames.register("x", b.spawn(), { wait: true }))).toBe(3 * TTL_MS);
  const c = await start("c", { limits: { registerMs: 5 * TTL_MS } });
  expect(await timesOf(c.strictNames.register("x", c.spawn(), { wait: true }))).toBe(5 * TTL_MS);
  cutAll();
  const beganMs = shells.clock.now().monotonicMs;
  await shells.until(b.strictNames.lookup("x").catch(() => {}));
  expect(shells.clock.now().monotonicMs - beganMs).toBeLessThan(TTL_MS / 2);
});

test.each([
  [
    3,
    { reached: 0, needed: 2, keptOut: 0, keptOutMs: 0 },
    "0 of 3 lease servers take part, 2 are needed; 3 cannot be reached",
  ],
  [
    5,
    { reached: 1, needed: 3, keptOut: 1, keptOutMs: 9_349 },
    "1 of 5 lease servers takes part, 3 are needed; 1 answers, and keeps out for up to 9.3 s more: it was started, wiped or left alone; 3 cannot be reached",
  ],
  [
    1,
    { reached: 0, needed: 1, keptOut: 1, keptOutMs: 0 },
    "0 of 1 lease server takes part, 1 is needed; 1 answers, and keeps out: it was started, wiped or left alone",
  ],
])("who lacks a majority of %i servers is told why", (servers, quorum, words) => {
  expect(new NoQuorumError("lookup", servers, quorum).message).toBe(`lookup: ${words}`);
});
