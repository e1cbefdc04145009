import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/kernel/random.ts";
import { type BusMessage, BusObserver } from "../support/bus-observer.ts";
import { eventually } from "../support/eventually.ts";
import {
  asStranger,
  CLUSTER_BYTE,
  changed,
  isToAll,
  later,
  randomBytes,
  sample,
  VERSION_BYTE,
} from "../support/hostile-frames.ts";
import { droppedBy, expectServes, totalOf } from "../support/serving.ts";
import type { Worker } from "../support/worker-client.ts";
import { holderOf, pidsIn, WorkerCluster } from "../support/worker-cluster.ts";

const SECRET = "a secret that only the nodes know";
/** Larger than any frame of a sound node, and than what NATS servers take by default. */
const HUGE_BYTES = 8 * 1024 * 1024 + 1;
const CONFIG = `max_payload: ${2 * HUGE_BYTES}\nmax_pending: ${8 * HUGE_BYTES}`;

let cluster: WorkerCluster<3>;
let observer: BusObserver;
let a: Worker;
let b: Worker;
let c: Worker;

describe.each([
  ["with a secret", SECRET],
  ["without a secret", undefined],
] as const)("%s", (_title, secret) => {
  beforeAll(async () => {
    const node = { cluster: "hostile", ...(secret === undefined ? {} : { secret }) };
    cluster = await WorkerCluster.start(3, { node, config: CONFIG });
    [a, b, c] = cluster.workers;
    observer = await BusObserver.start(cluster.server.url);
    // So that it sees how a node comes up.
    await cluster.stopNode(c);
    await cluster.startNode(c);
    await cluster.allUp();
    await expectServes([a, b, c]);
    await eventually(() => observer.messages.some(isToAll));
  });
  // Whatever came in: the nodes serve, nobody is gone, and no rule was broken.
  afterEach(async () => {
    await expectServes([a, b, c]);
    await cluster.allUp();
    await cluster.checkBugs();
  });
  afterAll(async () => {
    await observer[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  test("X1: garbage on every subject of the cluster is dropped and counted", async () => {
    const random = new SeededRandom("garbage");
    const before = await droppedBy(cluster.running);
    const present = cluster.running.map((worker) => cluster.id(worker).replace("@", "."));
    const subjects = [...new Set(observer.messages.map(({ subject }) => subject))].filter(
      (subject) => !subject.includes(".node.") || present.some((node) => subject.includes(`.${node}.`)),
    );
    expect(subjects.length).toBeGreaterThan(5);
    const garbage = [1, 2, 37, 38, 100, 5_000].map((bytes) => randomBytes(random, bytes));
    garbage.push(Buffer.from("RC\u0001\u0000"), Buffer.from('{"hello":"world"}\r\n'));
    for (const subject of subjects) for (const bytes of garbage) observer.publish(subject, bytes);
    await observer.flush();
    const receivers = subjects.reduce((sum, subject) => sum + (subject.includes(".node.") ? 1 : 3), 0);
    const expected = before.malformed + receivers * garbage.length;
    await eventually(async () => (await droppedBy(cluster.running)).malformed >= expected);
  });

  test("X1: truncated and altered frames are dropped", async () => {
    const before = totalOf(await droppedBy(cluster.running));
    for (const { subject, data } of sample(observer.messages, 60)) {
      for (const length of [10, 37, 38, data.length >> 1, data.length - 1])
        observer.publish(subject, data.subarray(0, length));
      const altered = Buffer.from(data);
      // Behind the envelope, where the messages are.
      const at = 80 + ((data.length * 7) % Math.max(1, data.length - 80));
      if (at < data.length) altered[at] = (altered[at] ?? 0) ^ 0xff;
      observer.publish(subject, altered);
    }
    await observer.flush();
    await eventually(async () => totalOf(await droppedBy(cluster.running)) > before + 60);
  });

  test("X1: what is huge, of another version or of another cluster is dropped, each counted by its cause", async () => {
    const before = await droppedBy(cluster.running);
    const all = toAll();
    observer.publish(all.subject, Buffer.concat([all.data, Buffer.alloc(HUGE_BYTES)]));
    observer.publish(all.subject, changed(all.data, VERSION_BYTE, 99));
    observer.publish(all.subject, changed(all.data, CLUSTER_BYTE, 99));
    await observer.flush();
    await eventually(async () => {
      const after = await droppedBy(cluster.running);
      return (["oversized", "version", "cluster"] as const).every(
        (cause) => after[cause] >= before[cause] + 2,
      );
    });
  });

  test("X1: replayed frames revive nothing and are counted, also those of an earlier incarnation", async () => {
    const pid = await c.node.spawn();
    const captured = observer.messages.length;
    await c.node.register("revenant", pid);
    await c.node.join("revenants", pid);
    await c.node.unregister("revenant");
    await c.node.leave("revenants", pid);
    await c.node.register("revenant 2", pid);
    await c.node.settled();
    await observer.flush();
    const frames = observer.messages.slice(captured);
    const before = await droppedBy(cluster.running);
    for (const frame of [...frames, ...[...frames].reverse()]) observer.publish(frame.subject, frame.data);
    await observer.flush();
    await eventually(
      async () => (await droppedBy(cluster.running)).replayed >= before.replayed + frames.length,
    );
    await cluster.stopNode(c);
    await cluster.startNode(c);
    await cluster.allUp();
    for (const frame of frames) observer.publish(frame.subject, frame.data);
    await observer.flush();
    await expectServes([a, b, c]);
    for (const worker of [a, b, c]) {
      expect(await worker.node.namesOf(pid)).toStrictEqual([]);
      expect(await holderOf(worker, "revenant 2")).toBe(undefined);
      expect(await pidsIn(worker, "revenants")).toStrictEqual([]);
    }
  });

  test("X1: a frame under another sender's subject is dropped", async () => {
    const before = await droppedBy(cluster.running);
    const { subject, data } = toAll();
    const sender = subject.slice(subject.lastIndexOf(".") + 1);
    const other = [a, b, c].find(({ name }) => name !== sender)?.name ?? "";
    observer.publish(`${subject.slice(0, subject.lastIndexOf(".") + 1)}${other}`, later(data));
    await observer.flush();
    const cause = secret === undefined ? "forged" : "mac";
    await eventually(async () => (await droppedBy(cluster.running))[cause] >= before[cause] + 2);
  });

  test("X1: a stranger that knows the format changes no table, whatever it says", async () => {
    const before = { names: await a.node.names(), groups: await a.node.groups() };
    const random = new SeededRandom("stranger");
    let said = 0;
    const greetings = new Set(observer.carrying(observer.serverId));
    expect(greetings.size).toBeGreaterThan(0);
    // Without a secret, whoever answers a greeting in time is a node, and may do what nodes do.
    const frames = observer.messages.filter((message) => secret !== undefined || !greetings.has(message));
    for (const { subject, data } of sample(frames, 200)) {
      for (let variant = 0; variant < 5; variant += 1) {
        said += 1;
        observer.publish(
          `${subject.slice(0, subject.lastIndexOf(".") + 1)}evil`,
          asStranger(data, said, random),
        );
      }
    }
    await observer.flush();
    await expectServes([a, b, c]);
    for (const worker of [a, b, c]) {
      expect(await worker.node.names()).toStrictEqual(before.names);
      expect(await worker.node.groups()).toStrictEqual(before.groups);
      expect((await worker.node.nodes()).length).toBe(3);
      expect((await worker.node.stats()).cluster["membership.strangers"]).toBeLessThan(10);
    }
  });
});

/** The latest frame to all nodes. */
function toAll(): BusMessage {
  const found = observer.messages.findLast(isToAll);
  if (found === undefined) throw new Error("nobody has said anything to all");
  return found;
}
