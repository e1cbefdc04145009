import { describe, expect, test } from "vitest";
import { CallFailedError, InvalidArgumentError, NoSuchProcessError } from "../../../src/kernel/errors.ts";
import { Shells } from "../../support/shells.ts";

describe("processes and monitors", () => {
  test("a monitor fires once, with the reason, for a process, a name and a node", async () => {
    const shells = new Shells("monitors");
    const [a, b] = await shells.startAll("a", "b");
    const process = b.spawn();
    await shells.until(b.names.register("svc", process));
    await shells.until(b.settled());
    const byPid = a.monitor(process);
    const byName = a.monitor({ name: "svc" });
    const cancelled = a.monitor(process);
    expect(cancelled.cancel()).toBe(true);
    expect(cancelled.cancel()).toBe(false);
    await shells.run(20);
    process.exit({ kind: "error", error: new TypeError("broken") });
    for (const monitor of [byPid, byName]) {
      const down = await shells.until(monitor.down);
      expect(down).toMatchObject({ pid: process.pid, node: b.id, reason: { kind: "error" } });
      expect(down.reason.kind === "error" && down.reason.error).toMatchObject({
        name: "TypeError",
        message: "broken",
      });
      expect(monitor.cancel()).toBe(false);
    }
    expect(await a.monitor({ name: "svc" }).down).toEqual({ node: a.id, reason: { kind: "noSuchProcess" } });
    expect((await shells.until(a.monitor(process).down)).pid).toBe(process.pid);
    const node = a.monitor({ node: b.id });
    await shells.until(b.stop());
    expect(await shells.until(node.down)).toMatchObject({ node: b.id, reason: { cause: "left" } });
    expect(a.stats().monitors).toBe(0);
  });

  test("names and memberships of a process are gone from its node when exit returns", async () => {
    const shells = new Shells("exit");
    const [a, b] = await shells.startAll("a", "b");
    const process = a.spawn();
    await shells.until(a.names.register("svc", process));
    a.groups.join("g", process);
    await shells.run(20);
    const exited = process.exited;
    process.exit({ kind: "killed" });
    expect(a.names.whereis("svc")).toBeUndefined();
    expect(a.groups.members("g")).toEqual([]);
    expect(process.signal.aborted).toBe(true);
    expect(await exited).toEqual({ kind: "killed" });
    await shells.run(20);
    expect(b.names.whereis("svc")).toBeUndefined();
    await expect(a.names.register("again", process)).rejects.toThrow(NoSuchProcessError);
    expect(() => a.spawn().exit({ kind: "bored" } as never)).toThrow(InvalidArgumentError);
  });

  test("a crash under onError exit ends the process with its error", async () => {
    const shells = new Shells("let it crash");
    const a = await shells.start("a");
    const failing = () => {
      throw new Error("crash");
    };
    const stays = a.spawn(failing);
    const goes = a.spawn(failing, { onError: "exit" });
    a.send(stays, 1);
    a.send(goes, 1);
    expect(await shells.until(goes.exited)).toMatchObject({ kind: "error", error: { message: "crash" } });
    expect(a.stats().messages.handlerErrors).toBe(2);
    expect(shells.log.filter((line) => line.message.includes("handler failed"))).toHaveLength(1);
    await expect(shells.until(a.call(stays, 1))).rejects.toThrow(CallFailedError);
  });

  test("what a notice or an exit sets off takes effect at once, even from inside an effect", async () => {
    const shells = new Shells("reentrancy");
    const [a, b] = await shells.startAll("a", "b");
    const seen: unknown[] = [];
    const former = a.spawn(undefined, {
      onNotice: (notice, { self }) => {
        a.groups.join("former holders", self);
        seen.push(notice, a.groups.count("former holders"));
      },
    });
    await shells.until(a.names.register("svc", former));
    const taker = b.spawn();
    await shells.until(b.names.reregister("svc", taker));
    await shells.eventually(() => seen.length > 0);
    expect(seen).toEqual([{ kind: "nameTakenOver", name: "svc", scope: "default", by: taker.pid }, 1]);
  });
});
