import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type ClusterNode, type Logger, natsBus, type Pid, startNode } from "../../src/index.ts";
import { fraction, SeededRandom } from "../../src/kernel/random.ts";
import { type BusMessage, BusObserver } from "../support/bus-observer.ts";
import { eventually } from "../support/eventually.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, holderOf, pidsIn, WorkerCluster } from "../support/worker-cluster.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const SECRET = "a secret that only the nodes know";
/** Larger than any frame of a sound node, and than what NATS servers take by default. */
const HUGE_BYTES = 8 * 1024 * 1024 + 1;
const CONFIG = `max_payload: ${2 * HUGE_BYTES}\nmax_pending: ${8 * HUGE_BYTES}`;
const VERSION_BYTE = 2;
const CLUSTER_BYTE = 4;
const SEQUENCE_BYTE = 16;

let cluster: WorkerCluster<3>;
let observer: BusObserver;
let a: Worker;
let b: Worker;
let c: Worker;
let rounds = 0;

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
    await serves();
    await eventually(() => observer.messages.some(isToAll));
  });
  // Whatever came in: the nodes serve, nobody is gone, and no rule was broken.
  afterEach(async () => {
    await serves();
    await cluster.allUp();
    await cluster.checkBugs();
  });
  afterAll(async () => {
    await observer[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  test("X1: garbage on every subject of the cluster is dropped and counted", async () => {
    const random = new SeededRandom("garbage");
    const before = await dropped();
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
    await eventually(async () => (await dropped()).malformed >= expected);
  });

  test("X1: truncated and altered frames are dropped", async () => {
    const before = await total();
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
    await eventually(async () => (await total()) > before + 60);
  });

  test("X1: what is huge, of another version or of another cluster is dropped, each counted by its cause", async () => {
    const before = await dropped();
    const all = toAll();
    observer.publish(all.subject, Buffer.concat([all.data, Buffer.alloc(HUGE_BYTES)]));
    observer.publish(all.subject, changed(all.data, VERSION_BYTE, 99));
    observer.publish(all.subject, changed(all.data, CLUSTER_BYTE, 99));
    await observer.flush();
    await eventually(async () => {
      const after = await dropped();
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
    const before = await dropped();
    for (const frame of [...frames, ...[...frames].reverse()]) observer.publish(frame.subject, frame.data);
    await observer.flush();
    await eventually(async () => (await dropped()).replayed >= before.replayed + frames.length);
    await cluster.stopNode(c);
    await cluster.startNode(c);
    await cluster.allUp();
    for (const frame of frames) observer.publish(frame.subject, frame.data);
    await observer.flush();
    await serves();
    for (const worker of [a, b, c]) {
      expect(await worker.node.namesOf(pid)).toStrictEqual([]);
      expect(await holderOf(worker, "revenant 2")).toBe(undefined);
      expect(await pidsIn(worker, "revenants")).toStrictEqual([]);
    }
  });

  test("X1: a frame under another sender's subject is dropped", async () => {
    const before = await dropped();
    const { subject, data } = toAll();
    const sender = subject.slice(subject.lastIndexOf(".") + 1);
    const other = [a, b, c].find(({ name }) => name !== sender)?.name ?? "";
    observer.publish(`${subject.slice(0, subject.lastIndexOf(".") + 1)}${other}`, later(data));
    await observer.flush();
    const cause = secret === undefined ? "forged" : "mac";
    await eventually(async () => (await dropped())[cause] >= before[cause] + 2);
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
    await serves();
    for (const worker of [a, b, c]) {
      expect(await worker.node.names()).toStrictEqual(before.names);
      expect(await worker.node.groups()).toStrictEqual(before.groups);
      expect((await worker.node.nodes()).length).toBe(3);
      expect((await worker.node.stats()).cluster["membership.strangers"]).toBeLessThan(10);
    }
  });
});

describe("against nodes of another secret, and users who err", () => {
  let local: ClusterNode;

  beforeAll(async () => {
    cluster = await WorkerCluster.start(3, { node: { cluster: "hostile", secret: SECRET } });
    [a, b, c] = cluster.workers;
    const bus = natsBus({ servers: cluster.server.url });
    local = await startNode({ cluster: "hostile", name: "local", secret: SECRET, bus, logger: SILENT });
  });
  afterEach(async () => {
    await serves();
    await cluster.checkBugs();
    expect(local.stats().bugs).toBe(0);
  });
  afterAll(async () => {
    await local.stop();
    await cluster[Symbol.asyncDispose]();
  });

  test.each([
    ["another secret", "not the secret of the others"],
    ["no secret", ""],
  ])(
    "X1: a node with %s meets nobody, and neither side takes anything from the other",
    async (_title, secret) => {
      const before = await dropped();
      const bus = natsBus({ servers: cluster.server.url });
      const options = {
        cluster: "hostile",
        name: "outsider",
        bus,
        logger: SILENT,
        ...(secret === "" ? {} : { secret }),
      };
      await using outsider = await startNode({ ...options, failureDetection: { discoveryMs: 500 } });
      const pid = outsider.spawn();
      await outsider.names.register("outside", pid);
      outsider.groups.join("outside", pid);
      await a.node.register("inside", await a.node.spawn());
      await eventually(() => outsider.stats().frames.dropped.mac > 0);
      await eventually(async () => (await dropped()).mac > before.mac);
      expect(outsider.nodes().length).toBe(1);
      expect(outsider.names.whereis("inside")).toBe(undefined);
      await agree([a, b, c], (worker) => holderOf(worker, "outside"), undefined);
      await agree([a, b, c], (worker) => pidsIn(worker, "outside"), []);
      await a.node.unregister("inside");
    },
  );

  test("X1: a name, group or scope may be any Unicode string of up to 512 bytes, however hostile", async () => {
    const hostile = [
      ...[
        "__proto__",
        "constructor",
        "toString",
        "hasOwnProperty",
        "a.b",
        ">",
        "*",
        "a.*.>",
        "$SYS.>",
        "_INBOX.x",
      ],
      ...[
        "\r\n",
        "PUB x 1\r\nx\r\n",
        "\u0000",
        " ",
        "\t",
        "\u2028",
        "../../etc/passwd",
        "%s%n",
        "'; DROP TABLE names;--",
      ],
      ...["é", "e\u0301", "日本語", "👩‍👩‍👧‍👦", "\ufeff", "\u202etxt", "x".repeat(512), "é".repeat(256)],
    ];
    const pid = await a.node.spawn("record");
    for (const text of hostile) {
      await a.node.register(text, pid, { meta: { [text]: text } });
      await a.node.join(text, pid);
    }
    await a.node.settled();
    for (const text of hostile) {
      for (const worker of [a, b, c]) {
        const registration = await worker.node.whereis(text);
        expect([text, registration?.pid]).toStrictEqual([text, pid]);
        expect(Object.entries(registration?.meta ?? {})).toStrictEqual([[text, text]]);
        expect(await pidsIn(worker, text)).toStrictEqual([pid]);
      }
      await c.node.send({ name: text }, text);
    }
    await agree([b], async (worker) => (await worker.node.namesOf(pid)).length, hostile.length);
    await eventually(async () => (await a.node.received(pid)).length === hostile.length);
    expect((await a.node.received(pid)).map(({ message }) => message)).toStrictEqual(hostile);
    for (const scope of ["__proto__", "a.b.>", "\r\n"]) {
      await Promise.all([a, b].map((worker) => worker.node.openScope(scope)));
      await a.in(scope).register("scoped", pid);
      await agree([b], (worker) => holderOf(worker, "scoped", scope), pid);
    }
    await a.node.exit(pid);
    await agree([a, b, c], (worker) => worker.node.groups(), []);
  });

  test("X1: bad arguments throw a typed error before anything happens", async () => {
    const pid = local.spawn();
    const before = JSON.stringify(local.stats().cluster["tables.names"]);
    const badTexts: unknown[] = ["", "x".repeat(513), "\ud800", 1, null, undefined, {}, ["a"]];
    const badPids: unknown[] = [
      "",
      "nobody",
      "a@b/c",
      `${local.id}`,
      `${local.id}/`,
      `${local.id}/0`,
      `${local.id}/A!`,
      `${pid} `,
      7,
      null,
      {},
      `${pid}/1`,
    ];
    const attempts: (() => unknown)[] = [
      ...badTexts.flatMap((text) => [
        () => local.names.register(text as string, pid),
        () => local.names.unregister(text as string),
        () => local.names.whereis(text as string),
        () => local.names.waitFor(text as string),
        () => local.groups.join(text as string, pid),
        () => local.groups.members(text as string),
        () => local.groups.publish(text as string, 1),
      ]),
      ...badTexts.filter((text) => text !== undefined).map((text) => () => local.scope(text as string)),
      ...badPids.flatMap((bad) => [
        () => local.names.register("bad pid", bad as Pid),
        () => local.names.transfer("bad pid", bad as Pid),
        () => local.groups.join("bad pid", bad as Pid),
        () => local.groups.join("bad pid", [pid, bad as Pid]),
        () => local.send(bad as Pid, 1),
        () => local.call(bad as Pid, 1),
        () => local.monitor(bad as Pid),
      ]),
      ...[() => 1, Symbol("s"), new WeakMap(), new (class Own {})(), { deep: [{ f: () => 1 }] }].flatMap(
        (value) => [
          () => local.names.register("bad value", pid, { meta: value }),
          () => local.groups.join("bad value", pid, { meta: value }),
          () => local.send(pid, value),
          () => local.call(pid, value),
        ],
      ),
      ...[0, -1, Number.NaN, "1", 2 ** 31].map(
        (timeoutMs) => () => local.names.waitFor("x", { timeoutMs: timeoutMs as number }),
      ),
      () => local.spawn("not a handler" as unknown as () => void),
      () => local.spawn(undefined, { concurrency: 0 }),
      () => local.spawn(undefined, { mailbox: -1 }),
      () => local.drain({ deadlineMs: -1 }),
    ];
    for (const [index, attempt] of attempts.entries()) {
      const outcome = await Promise.resolve()
        .then(attempt)
        .then(
          () => "accepted",
          (error: { readonly code?: string }) => error.code ?? String(error),
        );
      expect([index, outcome, attempt.toString()]).toStrictEqual([
        index,
        "INVALID_ARGUMENT",
        attempt.toString(),
      ]);
    }
    expect(JSON.stringify(local.stats().cluster["tables.names"])).toBe(before);
    expect(local.groups.list()).not.toContain("bad pid");
    expect(local.groups.list()).not.toContain("bad value");
  });
});

/** A name, a group, a call and a monitor work between all nodes, and everything is gone again afterwards. */
async function serves(): Promise<void> {
  rounds += 1;
  const name = `serves ${rounds}`;
  const pid = await b.node.spawn("echo");
  await a.node.register(name, pid);
  await b.node.join(name, pid);
  await agree([a, b, c], (worker) => holderOf(worker, name), pid);
  await agree([a, b, c], (worker) => pidsIn(worker, name), [pid]);
  expect(await c.node.call({ name }, rounds)).toBe(rounds);
  const monitor = await c.node.monitor(pid);
  await b.node.exit(pid);
  await c.saw("down", (seen) => seen.monitor === monitor);
  await agree([a, b, c], (worker) => holderOf(worker, name), undefined);
}

/** Frames that the nodes did not let in, by cause, summed over them. */
async function dropped() {
  const all = await Promise.all(cluster.running.map((worker) => worker.node.stats()));
  const sum = {
    malformed: 0,
    oversized: 0,
    version: 0,
    cluster: 0,
    mac: 0,
    forged: 0,
    misdirected: 0,
    stale: 0,
    replayed: 0,
  };
  for (const { frames } of all) {
    for (const cause of Object.keys(sum) as (keyof typeof sum)[]) sum[cause] += frames.dropped[cause];
  }
  return sum;
}

async function total(): Promise<number> {
  return Object.values(await dropped()).reduce((sum, count) => sum + count, 0);
}

/** The latest frame to all nodes. */
function toAll(): BusMessage {
  const found = observer.messages.findLast(isToAll);
  if (found === undefined) throw new Error("nobody has said anything to all");
  return found;
}

function isToAll({ subject }: BusMessage): boolean {
  return subject.split(".").at(-2) === "all";
}

function sample<T>(from: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, Math.floor(from.length / count));
  return from.filter((_, index) => index % step === 0).slice(0, count);
}

function changed(data: Uint8Array, at: number, by: number): Buffer {
  const copy = Buffer.from(data);
  copy[at] = ((copy[at] ?? 0) + by) & 0xff;
  return copy;
}

/** The same frame with a sequence number that has not been seen. */
function later(data: Uint8Array): Buffer {
  const copy = Buffer.from(data);
  copy.writeUInt32BE(copy.readUInt32BE(SEQUENCE_BYTE + 4) + 1_000_000, SEQUENCE_BYTE + 4);
  return copy;
}

/** The frame as a node named `evil` would send it, with some of its bytes changed. */
function asStranger(data: Uint8Array, sequence: number, random: SeededRandom): Buffer {
  const copy = Buffer.from(data);
  copy.writeUInt32BE(sequence, SEQUENCE_BYTE + 4);
  const at = copy.indexOf("@");
  const name = Buffer.from("evil");
  const start = 38;
  const sender = Buffer.concat([name, copy.subarray(at, at + 18)]);
  const body = Buffer.from(copy.subarray(at + 18));
  for (let flips = Math.floor(fraction(random) * 4); flips > 0; flips -= 1) {
    body[Math.floor(fraction(random) * body.length)] = Math.floor(fraction(random) * 256);
  }
  const head = Buffer.from(copy.subarray(0, start));
  head[start - 1] = sender.length;
  return Buffer.concat([head, sender, body]);
}

function randomBytes(random: SeededRandom, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => Math.floor(fraction(random) * 256)));
}
