import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ClusterNode, type Logger, natsBus, type Pid, startNode } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { droppedBy, expectServes } from "../support/serving.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, holderOf, pidsIn, WorkerCluster } from "../support/worker-cluster.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const SECRET = "a secret that only the nodes know";

let cluster: WorkerCluster<3>;
let a: Worker;
let b: Worker;
let c: Worker;

let local: ClusterNode;

beforeAll(async () => {
  cluster = await WorkerCluster.start(3, { node: { cluster: "hostile", secret: SECRET } });
  [a, b, c] = cluster.workers;
  const bus = natsBus({ servers: cluster.server.url });
  local = await startNode({ cluster: "hostile", name: "local", secret: SECRET, bus, logger: SILENT });
});
afterEach(async () => {
  await expectServes([a, b, c]);
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
    const before = await droppedBy(cluster.running);
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
    await eventually(async () => (await droppedBy(cluster.running)).mac > before.mac);
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
