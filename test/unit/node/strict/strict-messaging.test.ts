import { expect, test } from "vitest";
import { setUp } from "./stage.ts";

test("what waits for a lookup and then finds no room on the way is counted as undelivered, all of it, and takes up no room", async () => {
  const { shells, start } = setUp("no room");
  const a = await start("a");
  const b = await start("b", { limits: { outboundBytes: 10_000 } });
  const got: unknown[] = [];
  const holder = a.spawn((message) => got.push(message));
  for (const name of ["x", "y"]) await shells.until(a.strictNames.register(name, holder));
  await shells.run(100);
  const unhandled: unknown[] = [];
  const note = (error: unknown): number => unhandled.push(error);
  process.on("unhandledRejection", note);
  const before = b.stats().messages.undelivered;
  for (const name of ["x", "y"]) {
    // The bus is away, the lease servers are not.
    shells.network.disconnect("b");
    b.send(holder.pid, new Uint8Array(9_000));
    for (let count = 0; count < 3; count += 1) b.send({ strictName: name }, new Uint8Array(2_500));
    await shells.run(50);
    shells.network.reconnect("b");
    await shells.run(1_000);
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
  expect(b.stats().messages.undelivered - before).toBe(6);
  expect(got).toHaveLength(2);
  b.send({ strictName: "nobody" }, new Uint8Array(9_000));
});
