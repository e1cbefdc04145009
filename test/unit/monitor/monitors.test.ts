import { describe, expect, test } from "vitest";
import { makeNodeId, makePid, type Pid, serialOfPid } from "../../../src/kernel/ids.ts";
import { ENDS_PER_MESSAGE, EXIT_REASONS_KEPT, SERIALS_PER_MESSAGE } from "../../../src/monitor/limits.ts";
import { LocalProcesses } from "../../../src/monitor/local-processes.ts";
import type { MonitorMessage } from "../../../src/monitor/monitor-protocol.ts";
import { normal, type Side, Wired } from "./wired.ts";

function setUp(): { wired: Wired; here: Side; there: Side } {
  const wired = new Wired(2);
  return { wired, here: wired.side(0), there: wired.side(1) };
}

describe("a monitor", () => {
  test("of a process of another node fires when it ends, with its reason, once", () => {
    const { wired, here, there } = setUp();
    const pid = wired.spawn(there);
    const monitor = wired.watch(here, pid);
    wired.flow();
    expect(here.fired).toEqual([]);
    wired.exit(there, pid, { kind: "killed" });
    wired.exit(there, pid, normal);
    wired.flow();
    wired.down(here, there);
    expect(here.fired).toEqual([{ monitor, down: { pid, node: there.id, reason: { kind: "killed" } } }]);
    expect(here.monitors.gauges().monitors).toBe(0);
  });

  test("of a process of this node fires in the same step", () => {
    const { wired, here } = setUp();
    const pid = wired.spawn(here);
    const monitors = [wired.watch(here, pid), wired.watch(here, pid)];
    wired.exit(here, pid);
    expect(here.fired.map(({ monitor }) => monitor)).toEqual(monitors);
    expect(wired.sent).toEqual([]);
  });

  test("of what is dead already fires at once, with the true reason while that is remembered", () => {
    const { wired, here, there } = setUp();
    const dead = wired.spawn(there);
    wired.exit(there, dead, { kind: "leaseLost", name: "leader" });
    wired.watch(here, dead);
    wired.watch(there, dead);
    wired.watch(here, makePid(there.id, 99));
    wired.flow();
    expect(here.fired.map(({ down }) => down.reason)).toEqual([
      { kind: "leaseLost", name: "leader" },
      { kind: "noSuchProcess" },
    ]);
    expect(there.fired.map(({ down }) => down.reason)).toEqual([{ kind: "leaseLost", name: "leader" }]);
  });

  test("of a pid of a node that is not up fires at once", () => {
    const { wired, here, there } = setUp();
    const pid = wired.spawn(there);
    const stranger = makeNodeId("stranger", "1".repeat(17));
    wired.watch(here, makePid(stranger, 1));
    wired.down(here, there, "left");
    wired.watch(here, pid);
    const reasons = here.fired.map(({ down }) => down.reason);
    expect(reasons).toEqual([{ kind: "noSuchProcess" }, { kind: "nodeDown", node: there.id, cause: "left" }]);
  });

  test("of a pid with a serial that no node gives out fires at once, and breaks no frame", () => {
    const { wired, here, there } = setUp();
    wired.watch(here, `${there.id}/zzzzzzzzzzz` as Pid);
    expect(here.fired.map(({ down }) => down.reason.kind)).toEqual(["noSuchProcess"]);
    expect(wired.sent).toEqual([]);
  });

  test("of a node fires when it goes down, and at once when it is", () => {
    const { wired, here, there } = setUp();
    wired.feed(here, { kind: "watchNode", monitor: 1, node: there.id });
    wired.feed(here, { kind: "watchNode", monitor: 2, node: here.id });
    expect(here.fired).toEqual([]);
    wired.down(here, there, "disconnected");
    wired.feed(here, { kind: "watchNode", monitor: 3, node: there.id });
    const reason = { kind: "nodeDown", node: there.id, cause: "disconnected" };
    expect(here.fired).toEqual([
      { monitor: 1, down: { node: there.id, reason } },
      { monitor: 3, down: { node: there.id, reason } },
    ]);
  });

  test("fires when the node of its process goes down, and not again when it is back and the process ends", () => {
    const { wired, here, there } = setUp();
    const pid = wired.spawn(there);
    wired.watch(here, pid);
    wired.flow();
    wired.down(here, there);
    expect(here.fired.map(({ down }) => down.reason.kind)).toEqual(["nodeDown"]);
    wired.up(here, there);
    wired.exit(there, pid);
    wired.flow();
    wired.run(10_000);
    expect(here.fired.length).toBe(1);
  });

  test("that was cancelled does not fire, and the others of that process do", () => {
    const { wired, here, there } = setUp();
    const pid = wired.spawn(there);
    const [cancelled, kept] = [wired.watch(here, pid), wired.watch(here, pid)];
    wired.feed(here, { kind: "unwatch", monitor: cancelled });
    wired.flow();
    wired.exit(there, pid);
    wired.flow();
    expect(here.fired.map(({ monitor }) => monitor)).toEqual([kept]);
    expect(wired.sent.filter(({ message }) => message.kind === "unwatch")).toEqual([]);
  });
});

describe("what is lost is found", () => {
  test("a watch", () => {
    const { wired, here, there } = setUp();
    const pid = wired.spawn(there);
    wired.loses = (message) => message.kind === "watch";
    wired.watch(here, pid);
    wired.exit(there, pid, { kind: "killed" });
    wired.run(1_000);
    expect(here.fired.map(({ down }) => down.reason.kind)).toEqual(["killed"]);
    expect(there.monitors.counts.repairs).toBe(1);
  });

  test("an end, of one process among many", () => {
    const { wired, here, there } = setUp();
    const pids = Array.from({ length: 20 }, () => wired.spawn(there));
    for (const pid of pids) wired.watch(here, pid);
    wired.flow();
    for (const [index, pid] of pids.slice(0, 10).entries()) {
      wired.loses = () => index % 2 === 0;
      wired.exit(there, pid);
    }
    wired.loses = () => false;
    wired.flow();
    wired.run(1_000);
    expect(new Set(here.fired.map(({ down }) => down.pid))).toEqual(new Set(pids.slice(0, 10)));
    expect(here.fired.length).toBe(10);
  });

  test("the last end, without saying everything again", () => {
    const { wired, here, there } = setUp();
    const pid = wired.spawn(there);
    wired.watch(here, pid);
    wired.watch(here, wired.spawn(there));
    wired.flow();
    wired.loses = (message) => message.kind === "exited";
    wired.exit(there, pid, { kind: "shutdown" });
    wired.loses = () => false;
    wired.run(1_000);
    expect(here.fired.map(({ down }) => down.reason.kind)).toEqual(["shutdown"]);
    expect(there.monitors.counts.repairs).toBe(0);
  });

  test("an unwatch, also the last one", () => {
    const { wired, here, there } = setUp();
    const monitors = [wired.watch(here, wired.spawn(there)), wired.watch(here, wired.spawn(there))];
    wired.flow();
    expect(there.monitors.gauges().watchesHeld).toBe(2);
    wired.loses = (message) => message.kind === "unwatch";
    for (const monitor of monitors) wired.feed(here, { kind: "unwatch", monitor });
    wired.loses = () => false;
    wired.run(1_000);
    expect(there.monitors.gauges().watchesHeld).toBe(0);
    wired.run(5_000);
    expect(here.monitors.deadlineMs).toBeUndefined();
  });

  test("everything, when the other side lost this node and begins anew", () => {
    const { wired, here, there } = setUp();
    const pids = [wired.spawn(there), wired.spawn(there)] as const;
    for (const pid of pids) wired.watch(here, pid);
    wired.flow();
    wired.down(there, here);
    expect(there.monitors.gauges().watchesHeld).toBe(0);
    wired.exit(there, pids[0]);
    wired.up(there, here);
    wired.feed(here, { kind: "peerRejoined", node: there.id });
    wired.flow();
    expect(here.fired.map(({ down }) => down.pid)).toEqual([pids[0]]);
    wired.exit(there, pids[1]);
    wired.flow();
    expect(here.fired.length).toBe(2);
  });

  test("what ended while either side was cut off, at its reconnect", () => {
    for (const which of [0, 1]) {
      const { wired, here, there } = setUp();
      const pid = wired.spawn(there);
      wired.watch(here, pid);
      wired.flow();
      wired.loses = () => true;
      wired.exit(there, pid, { kind: "killed" });
      wired.loses = () => false;
      wired.feed(wired.side(which), { kind: "busConnected" });
      wired.flow();
      expect(here.fired.map(({ down }) => down.reason.kind)).toEqual(["killed"]);
    }
  });

  test("a part of a long list", () => {
    const { wired, here, there } = setUp();
    const pids = Array.from({ length: SERIALS_PER_MESSAGE * 2 + 5 }, () => wired.spawn(there));
    wired.loses = (message) => message.kind === "watch";
    for (const pid of pids) wired.watch(here, pid);
    let lost = 0;
    wired.loses = (message) => {
      if (message.kind !== "watchAll" || message.index !== 1 || lost > 0) return false;
      lost += 1;
      return true;
    };
    wired.run(1_000);
    expect(there.monitors.gauges().watchesHeld).toBe(0);
    wired.run(1_000);
    expect(there.monitors.gauges().watchesHeld).toBe(pids.length);
    expect(lost).toBe(1);
  });
});

test("ends that are under way make no check differ", () => {
  const { wired, here, there } = setUp();
  const pids = Array.from({ length: 100 }, () => wired.spawn(there));
  for (const pid of pids) wired.watch(here, pid);
  wired.flow();
  for (const [index, pid] of pids.slice(0, 60).entries()) {
    wired.exit(there, pid);
    if (index % 20 === 10) {
      wired.nowMs += 1_000;
      // The check overtakes nothing: it leaves here before those ends are read.
      wired.feed(here, { kind: "tick" });
    }
  }
  wired.flow();
  expect(here.fired.length).toBe(60);
  expect(there.monitors.counts.repairs).toBe(0);
});

test("after one repair nothing is left to repair, whatever was told before", () => {
  const { wired, here, there } = setUp();
  const pids = Array.from({ length: 10 }, () => wired.spawn(there));
  for (const pid of pids) wired.watch(here, pid);
  wired.flow();
  for (const pid of pids.slice(0, 5)) wired.exit(there, pid);
  wired.flow();
  wired.loses = (message) => message.kind === "watch";
  const pid = wired.spawn(there);
  wired.watch(here, pid);
  wired.loses = () => false;
  wired.run(1_000);
  expect(there.monitors.counts.repairs).toBe(1);
  wired.run(10_000);
  expect(there.monitors.counts.repairs).toBe(1);

  // The other side counts from the beginning again.
  wired.down(there, here);
  wired.up(there, here);
  wired.feed(here, { kind: "peerRejoined", node: there.id });
  wired.flow();
  wired.run(10_000);
  expect(there.monitors.counts.repairs).toBe(1);
  wired.exit(there, pid);
  wired.flow();
  expect(here.fired.length).toBe(6);
});

test("a watch that is taken back while its process ends makes no check differ", () => {
  const { wired, here, there } = setUp();
  const [ended, lives] = [wired.spawn(there), wired.spawn(there)];
  const monitor = wired.watch(here, ended);
  wired.watch(here, lives);
  wired.flow();
  // Each says so before it hears of the other, and the check follows; then one that has ended is watched again.
  wired.exit(there, ended);
  wired.feed(here, { kind: "unwatch", monitor });
  wired.nowMs += 1_000;
  wired.feed(here, { kind: "tick" });
  wired.watch(here, ended);
  wired.nowMs += 1_000;
  wired.feed(here, { kind: "tick" });
  wired.flow();
  wired.run(5_000);
  expect(here.fired).toHaveLength(1);
  expect(there.monitors.counts.repairs).toBe(0);
  expect(there.monitors.gauges().watchesHeld).toBe(1);
});

test("where nothing was lost, nothing is repaired", () => {
  const { wired, here, there } = setUp();
  for (let turn = 0; turn < 20; turn += 1) {
    const pids = [wired.spawn(there), wired.spawn(there), wired.spawn(there)] as const;
    const monitors = pids.map((pid) => wired.watch(here, pid));
    wired.flow();
    wired.exit(there, pids[0]);
    wired.flow();
    wired.feed(here, { kind: "unwatch", monitor: monitors[1] ?? 0 });
    wired.run(700);
  }
  expect(there.monitors.counts.repairs).toBe(0);
  expect(here.monitors.counts.checks).toBeGreaterThan(10);
  expect(there.monitors.gauges().watchesHeld).toBe(20);
});

test("nothing is repaired when a watch begins long after the last one ended", () => {
  const { wired, here, there } = setUp();
  for (let turn = 0; turn < 3; turn += 1) {
    const pid = wired.spawn(there);
    wired.watch(here, pid);
    wired.flow();
    wired.exit(there, pid);
    wired.run(20_000);
  }
  expect(here.fired).toHaveLength(3);
  wired.watch(here, wired.spawn(there));
  wired.run(5_000);
  expect(there.monitors.counts.repairs).toBe(0);
});

test("one check goes to each node that is watched, once per interval, and none where nothing is", () => {
  const wired = new Wired(4);
  const [here, there, other] = [wired.side(0), wired.side(1), wired.side(2)];
  for (let count = 0; count < 50; count += 1) wired.watch(here, wired.spawn(there));
  wired.watch(here, wired.spawn(other));
  wired.flow();
  wired.sent = [];
  wired.run(5_000);
  const checks = wired.sent.filter(({ message }) => message.kind === "watchCheck");
  expect(checks.length).toBe(10);
  expect(wired.sent.length).toBe(10);
});

test("many ends are told in bounded messages", () => {
  const { wired, here, there } = setUp();
  const pids = Array.from({ length: SERIALS_PER_MESSAGE }, (_, index) => makePid(there.id, index + 1));
  wired.loses = (message) => message.kind === "watch";
  for (const pid of pids) wired.watch(here, pid);
  wired.feed(here, { kind: "busConnected" });
  wired.flow();
  const ends = wired.sent.flatMap(({ message }) => (message.kind === "exited" ? [message.ends.length] : []));
  expect(Math.max(...ends)).toBeLessThanOrEqual(ENDS_PER_MESSAGE);
  expect(here.fired.length).toBe(SERIALS_PER_MESSAGE);
});

test("what a node holds for a watcher is gone when the watcher is, and when the processes are", () => {
  const { wired, here, there } = setUp();
  const pids = [wired.spawn(there), wired.spawn(there), wired.spawn(there)] as const;
  for (const pid of pids) wired.watch(here, pid);
  wired.flow();
  wired.exit(there, pids[0]);
  expect(there.monitors.gauges().watchesHeld).toBe(2);
  wired.down(there, here);
  expect(there.monitors.gauges().watchesHeld).toBe(0);
});

test("a node that is not up is not listened to", () => {
  const { wired, here, there } = setUp();
  const pid = wired.spawn(there);
  wired.down(there, here);
  const message: MonitorMessage = { kind: "watch", serials: [serialOfPid(pid)] };
  wired.feed(there, { kind: "message", from: here.id, message });
  expect(there.monitors.gauges().watchesHeld).toBe(0);
});

test("the reasons of the latest ten thousand ends are kept", () => {
  const local = new LocalProcesses(makeNodeId("n", "0".repeat(17)));
  const pidOf = (serial: number): Pid => makePid(makeNodeId("n", "0".repeat(17)), serial);
  for (let serial = 1; serial <= EXIT_REASONS_KEPT + 1; serial += 1) {
    local.spawned(pidOf(serial));
    expect(local.exited(pidOf(serial), { kind: "killed" })).toBe(true);
    expect(local.exited(pidOf(serial), normal)).toBe(false);
  }
  expect(local.reasonOf(1)).toEqual({ kind: "noSuchProcess" });
  expect(local.reasonOf(2)).toEqual({ kind: "killed" });
  expect(local.count).toBe(0);
});
