import fc from "fast-check";
import { expect, test } from "vitest";
import { digestBytes } from "../../../src/kernel/hash.ts";
import { pack } from "../../../src/kernel/msgpack.ts";
import { TRAIL_ENTRIES } from "../../../src/lease/jetstream/limits.ts";
import { makeSessionId } from "../../../src/lease/requests.ts";
import { leaseTimes } from "../../../src/lease/settings.ts";
import { leaseRequest } from "../../support/lease-requests.ts";
import { ForkedLog, LogNode, SETTINGS } from "./forked-log.ts";

const { guardMs } = leaseTimes(SETTINGS);
const A = makeSessionId("a", 1);
const B = makeSessionId("b", 1);

/** Two nodes, each with a session, that read a copy each; all of it alike so far. */
function makePair() {
  const log = new ForkedLog(2);
  const [a, b] = [new LogNode(log, "a", 0), new LogNode(log, "b", 1)];
  expect([a.open(A)?.kind, b.open(B)?.kind]).toEqual(["kept", "kept"]);
  a.read();
  return { log, a, b, nodes: [a, b] };
}

/** Everyone reads all, and says what there is to say, until there is no more. @returns how often it was said that the log was lost */
function settle(log: ForkedLog, nodes: readonly LogNode[]): number {
  const before = log.losses;
  for (let round = 0; round < 3 * LOSSES_AT_ONCE * nodes.length; round += 1) {
    for (const node of nodes) node.read();
    for (const node of nodes) if (node.reader.isKnown) node.write({ kind: "status" });
    for (const node of nodes) node.read();
    if (nodes.every((node) => node.isTrusting && node.reader.mark.count === nodes[0]?.reader.mark.count)) {
      break;
    }
    log.nowMs += SETTINGS.ttlMs / 6;
  }
  return log.losses - before;
}

/** What each node says of one divergence, at most: that it has noticed, and that it knows of a higher token than who noticed too. */
const LOSSES_AT_ONCE = 3;

function expectAlike(nodes: readonly LogNode[]): void {
  for (const node of nodes) {
    expect(node.isTrusting).toBe(true);
    expect(node.reader.mark).toEqual(nodes[0]?.reader.mark);
    expect(node.replica.dump()).toEqual(nodes[0]?.replica.dump());
  }
}

function endGuard(log: ForkedLog, nodes: readonly LogNode[]): void {
  log.nowMs += guardMs;
  for (const node of nodes) for (const note of node.replica.overdue(1_000, 10)) node.write(note);
  for (const node of nodes) node.read();
}

test("a message that one copy only has is noticed by both sides as soon as they read of each other, and both begin anew", () => {
  const { log, a, b, nodes } = makePair();
  expect(a.acquire(A, "x", [0])).toBe(1);
  // Another one at the same place.
  expect(b.acquire(B, "x", [1])).toBe(1);
  expect([a.isTrusting, b.isTrusting]).toEqual([true, true]);
  a.write({ kind: "renew", session: A, connection: 1 });
  b.write({ kind: "renew", session: B, connection: 1 });
  a.read();
  expect([a.isTrusting, log.losses]).toEqual([false, 1]);
  b.read();
  expect([b.isTrusting, b.reader.mark.epoch]).toEqual([true, b.reader.highestEpoch]);
  expect(settle(log, nodes)).toBeLessThanOrEqual(LOSSES_AT_ONCE * 2);
  expectAlike(nodes);
  for (const node of nodes) expect(node.ask({ kind: "status" })).toMatchObject({ kind: "guarded" });
  endGuard(log, nodes);
  expect(a.ask({ kind: "renew", session: A, connection: 1 })).toEqual({ kind: "noSession" });
  expect(b.open(makeSessionId("b", 2))).toMatchObject({ kind: "kept" });
  expect(b.acquire(makeSessionId("b", 2))).toBe(2);
  a.read();
  expectAlike(nodes);
});

test("what was asked in a log that others do not have is not answered as if it were the same", () => {
  const { a, b } = makePair();
  a.ask({ kind: "status" }, [0]);
  // It was on its way, as far as anybody can tell.
  b.ask({ kind: "status" });
  expect(a.ask({ kind: "status" })).toBeDefined();
  b.ask({ kind: "status" });
  expect(a.acquire(A)).toBeUndefined();
  expect(a.tokens).toEqual([]);
});

test.each<[string, (pair: ReturnType<typeof makePair>) => void]>([
  ["the end is missing in one copy", ({ a }) => a.ask({ kind: "status" }, [0])],
  [
    "all that follows is one place further in one copy",
    ({ a, b }) => {
      b.write({ kind: "renew", session: A, connection: 1 }, [1]);
      for (let each = 0; each < 5; each += 1) a.ask({ kind: "status" });
    },
  ],
  [
    "two messages stand the other way round",
    ({ a }) => {
      a.write({ kind: "renew", session: A, connection: 1 }, [0]);
      a.write({ kind: "status" });
      a.write({ kind: "renew", session: A, connection: 1 }, [1]);
    },
  ],
  [
    "the same message has two times",
    ({ log, a }) => {
      a.write({ kind: "status" }, [0]);
      const [message] = log.copies[0]?.slice(-1) ?? [];
      if (message !== undefined) log.put(1, { ...message, writtenMs: message.writtenMs + 1 });
    },
  ],
  [
    "a copy had more before a snapshot that both have",
    ({ a, b }) => {
      a.ask({ kind: "status" }, [0]);
      a.writeSnapshot();
      b.read();
    },
  ],
  [
    "only one copy has the word that the log was lost",
    ({ a }) => a.ask({ kind: "lost", epoch: 3, maxToken: 0 }, [0]),
  ],
  [
    "it was said twice in an order that the copies do not agree on",
    ({ a, b }) => {
      a.write({ kind: "lost", epoch: 3, maxToken: 5 }, [0]);
      b.write({ kind: "lost", epoch: 4, maxToken: 2 }, [1]);
      b.write({ kind: "status" });
      a.write({ kind: "lost", epoch: 3, maxToken: 5 }, [1]);
      b.write({ kind: "lost", epoch: 4, maxToken: 2 }, [0]);
    },
  ],
])("all are alike again when %s", (_what, diverge) => {
  const pair = makePair();
  const { log, nodes } = pair;
  diverge(pair);
  settle(log, nodes);
  expect(log.losses).toBeGreaterThan(0);
  expect(log.losses).toBeLessThanOrEqual(LOSSES_AT_ONCE * 2);
  expectAlike(nodes);
});

test("a copy that is behind, and messages that are no entries, are no reason", () => {
  const { log, a, b, nodes } = makePair();
  for (let each = 0; each < 20; each += 1) a.ask({ kind: "status" });
  log.append("entry", Uint8Array.of(0xc1), [0]);
  b.write({ kind: "status" });
  expect(settle(log, nodes)).toBe(0);
  expectAlike(nodes);
});

test("whoever reads later of a divergence that is over has nothing to say", () => {
  const { log, a, b, nodes } = makePair();
  a.acquire(A, "x", [0]);
  b.acquire(B, "x", [1]);
  settle(log, nodes);
  for (const copy of [0, 1]) {
    const late = new LogNode(log, `late ${copy}`, copy);
    expect(settle(log, [late, ...nodes])).toBe(0);
    expectAlike([late, ...nodes]);
  }
});

test("a snapshot of before the loss that comes behind it does not bring back what was lost", () => {
  const { log, a, b, nodes } = makePair();
  expect(a.acquire(A, "x", [0])).toBe(1);
  for (let each = 0; each < 2; each += 1) b.ask({ kind: "status" });
  a.read();
  expect(a.isTrusting).toBe(false);
  const before = a.reader.snapshot();
  settle(log, nodes);
  expect(before.mark.epoch).toBeLessThan(a.reader.mark.epoch);
  const stale = new LogNode(log, "stale", 0);
  stale.reader.take(log.copies[0]?.[0] as never);
  stale.writeSnapshot();
  for (const node of nodes) node.read();
  const late = new LogNode(log, "late", 1);
  expect(settle(log, [late, ...nodes])).toBe(0);
  expectAlike([late, ...nodes]);
});

test("whoever knows of a higher token than the word of the loss says so, and the last word counts", () => {
  const { log, a, b, nodes } = makePair();
  a.ask({
    kind: "acquire",
    session: A,
    connection: 1,
    items: [{ name: "x", claim: 1, proposal: 900, value: new Uint8Array(0), ticket: undefined }],
  });
  expect(a.replica.maxToken).toBe(900);
  const late = new LogNode(log, "late", 1);
  late.write({ kind: "lost", epoch: 7, maxToken: 5 });
  expect(settle(log, [a, b])).toBeGreaterThan(0);
  expectAlike(nodes);
  expect(b.replica.maxToken).toBe(900);
});

test("a loss that goes on is not said more often than so often in a ttl", () => {
  const { log, a } = makePair();
  for (let each = 0; each < 1_000; each += 1) {
    // Somebody whose entries never fit.
    const stranger = new LogNode(log, "stranger", 1);
    stranger.reader.take({ kind: "entry", data: Uint8Array.of(0xc1), at: 1, writtenMs: 0 });
    for (const message of log.copies[0] ?? []) stranger.reader.take({ ...message, writtenMs: each });
    stranger.write({ kind: "status" }, [0]);
    a.read();
    log.nowMs += SETTINGS.ttlMs / 100;
  }
  expect(log.losses).toBeGreaterThan(10);
  expect(log.losses).toBeLessThanOrEqual((1_000 / 100) * 6 + 1);
});

test("of two words of one loss the higher counts, whichever comes last, and what was on its way is no reason for another", () => {
  const { log, a, b, nodes } = makePair();
  a.write({ kind: "lost", epoch: 4, maxToken: 0 });
  a.read();
  b.write({ kind: "lost", epoch: 3, maxToken: 0 });
  a.write({ kind: "status" });
  expect(settle(log, nodes)).toBe(0);
  expectAlike(nodes);
  expect(b.reader.mark.epoch).toBe(4);
});

test.each([
  [TRAIL_ENTRIES - 5, true],
  [TRAIL_ENTRIES + 5, false],
])("an author of another log that is %d entries behind is told apart: %s", (behind, isForked) => {
  const { a, b } = makePair();
  b.ask({ kind: "status" }, [1]);
  for (let each = 0; each < behind; each += 1) a.write({ kind: "status" }, [0]);
  a.read();
  // Its own, all of which it wrote when it had read of none of them.
  expect(a.reader.isForked).toBe(false);
  b.write({ kind: "status" });
  a.read();
  expect(a.reader.isForked).toBe(isForked);
});

test("whoever begins with a snapshot does not know what was before, and does not find it wrong", () => {
  const { log, a, b, nodes } = makePair();
  b.write({ kind: "status" });
  for (let each = 0; each < 5; each += 1) a.ask({ kind: "status" });
  a.writeSnapshot();
  log.purgeBefore(a.reader.last.at + 1);
  const late = new LogNode(log, "late", 1);
  late.read();
  b.write({ kind: "status" });
  late.read();
  expect([late.reader.isKnown, late.reader.isForked]).toEqual([true, false]);
  expect(settle(log, [late, ...nodes])).toBe(0);
  expectAlike([late, ...nodes]);
});

test("nothing is deleted for a snapshot of another log", () => {
  const { log, a, b } = makePair();
  a.writeSnapshot();
  a.read();
  b.read();
  a.ask({ kind: "status" }, [0]);
  b.ask({ kind: "status" }, [1]);
  const before = log.firstOf(1);
  a.writeSnapshot([1]);
  b.read();
  expect(b.reader.isForked).toBe(true);
  expect(log.firstOf(1)).toBe(before);
});

test("a digest tells of each byte, its place, and what was before", () => {
  const data = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(data, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (bytes, index, by, start) => {
      const other = Uint8Array.from(bytes, (byte, at) => (at === index % bytes.length ? byte ^ by : byte));
      const digest = digestBytes(bytes, start);
      expect(Number.isSafeInteger(digest)).toBe(true);
      expect(digestBytes(other, start)).not.toBe(digest);
      expect(digestBytes(bytes, start + 1)).not.toBe(digest);
      expect(digestBytes(bytes, start + 2 ** 32)).not.toBe(digest);
      expect(digestBytes(Uint8Array.of(...bytes, 0), start)).not.toBe(digest);
    }),
  );
});

test("whoever finds entries of an older layout in the log is told so", () => {
  const { log, a } = makePair();
  const node = new LogNode(new ForkedLog(1), "n", 0);
  const old = pack(["old", 1, 1, "an older one", "open", A, 1]);
  node.reader.take({ kind: "entry", data: old, at: 1, writtenMs: 1 });
  const [message] = log.copies[0] ?? [];
  if (message === undefined) throw new Error("nothing was written");
  const result = node.reader.take({ ...message, at: 2 });
  expect(result).toMatchObject({ reply: { kind: "misconfigured", theirs: "an older one" } });
  expect(a.replica.accepts("c")).toBe(true);
  expect(node.replica.accepts("c")).toBe(false);
});

const nodeIndex = fc.nat(3);
const copyIndex = fc.nat(1);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("ask" as const), node: nodeIndex, request: leaseRequest }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("leak" as const),
      node: nodeIndex,
      request: leaseRequest,
      copy: copyIndex,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("read" as const), node: nodeIndex, most: fc.nat(5) }),
  },
  fc.record({ kind: fc.constant("swap" as const), copy: copyIndex }),
  fc.record({ kind: fc.constant("drop" as const), copy: copyIndex }),
  fc.record({ kind: fc.constant("snapshot" as const), node: nodeIndex }),
  fc.record({ kind: fc.constant("move" as const), node: nodeIndex, copy: copyIndex }),
  fc.record({ kind: fc.constant("join" as const), copy: copyIndex }),
  fc.record({
    kind: fc.constant("lose" as const),
    node: nodeIndex,
    copy: copyIndex,
    epoch: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({ kind: fc.constant("time" as const), ms: fc.nat(3_000) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** What a server may do to a message that nobody has read in this copy yet. */
function spoil(log: ForkedLog, nodes: readonly LogNode[], copy: number, how: "swap" | "drop"): void {
  const messages = log.copies[copy] ?? [];
  const readUpTo = Math.max(
    0,
    ...nodes.filter((node) => node.copy === copy).map(({ reader }) => reader.last.at),
  );
  const taken = messages.splice(-2, 2);
  const isUnread = taken.length === 2 && taken.every(({ at }) => at > readUpTo);
  const [first, second] = taken;
  if (!isUnread || first === undefined || second === undefined) messages.push(...taken);
  else for (const each of how === "swap" ? [second, first] : [second]) log.put(copy, each);
}

function carryOut(log: ForkedLog, nodes: LogNode[], each: Step): void {
  const node = "node" in each ? nodes[each.node % nodes.length] : undefined;
  switch (each.kind) {
    case "ask":
      node?.write(each.request);
      return;
    case "leak":
      node?.ask(each.request, [each.copy]);
      return;
    case "read":
      node?.read(each.most);
      return;
    case "swap":
    case "drop":
      spoil(log, nodes, each.copy, each.kind);
      return;
    case "snapshot":
      node?.writeSnapshot();
      return;
    case "move":
      if (node !== undefined) node.copy = each.copy;
      return;
    case "join":
      if (nodes.length < 4) nodes.push(new LogNode(log, `late ${nodes.length}`, each.copy));
      return;
    case "lose":
      node?.write({ kind: "lost", epoch: each.epoch, maxToken: 0 }, [each.copy]);
      return;
    case "time":
      log.nowMs += each.ms;
      return;
  }
}

test("whatever copies differ in, all are alike again after a few words, nobody has a vote on one side only, and tokens go on", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { log, nodes: pair } = makePair();
      const nodes = [...pair];
      for (const each of steps) carryOut(log, nodes, each);
      // One that finds no beginning is not let in.
      for (const node of nodes) node.read();
      const inside = nodes.filter(({ reader }) => reader.isKnown);
      expect(settle(log, inside)).toBeLessThanOrEqual(LOSSES_AT_ONCE * inside.length);
      expectAlike(inside);
      endGuard(log, inside);
      const known = Math.max(0, ...inside.flatMap(({ tokens }) => tokens));
      const [winner] = inside;
      if (winner === undefined) return;
      log.nowMs += SETTINGS.ttlMs;
      for (const note of winner.replica.overdue(1_000, 100)) winner.write(note);
      for (const node of inside) node.read();
      expect(winner.open(makeSessionId("winner", 1))).toMatchObject({ kind: "kept" });
      expect(winner.acquire(makeSessionId("winner", 1))).toBeGreaterThan(known);
      for (const node of inside) node.read();
      expectAlike(inside);
    }),
    { numRuns: 300 },
  );
});
