import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeEntry, type LogEntry } from "../../../src/lease/jetstream/entry.ts";
import { ENTRIES_PER_SNAPSHOT } from "../../../src/lease/jetstream/limits.ts";
import { LogReader } from "../../../src/lease/jetstream/log-reader.ts";
import { LeaseReplica } from "../../../src/lease/jetstream/replica.ts";
import { encodeSnapshot } from "../../../src/lease/jetstream/snapshot.ts";
import { LOG_START } from "../../../src/lease/jetstream/trail.ts";
import { MemoryLeaseServer } from "../../../src/lease/memory/server.ts";
import { type LeaseRequest, makeSessionId } from "../../../src/lease/requests.ts";
import { leaseTimes } from "../../../src/lease/settings.ts";
import { leaseRequest, OWNERS, timeless } from "../../support/lease-requests.ts";

const SETTINGS = { ttlMs: 10_000, clockRateBound: 0.01, serverStepMs: 0 };
const START_MS = 1_000_000_000;

const opened = OWNERS.map(
  (owner): LeaseRequest => ({ kind: "open", session: makeSessionId(owner, 1), connection: 1 }),
);

/** @param mark what its author has read; nothing, which whoever has read all finds right */
function entryOf(request: LogEntry["request"], number: number, mark = LOG_START): LogEntry {
  return { author: "author", number, id: number, configuration: "c", mark, request };
}

/** A replica, its reader, and a clock that the test moves. */
function makeNode(first = 1) {
  const clock = { nowMs: 0 };
  const replica = new LeaseReplica(SETTINGS, () => clock.nowMs);
  return { clock, replica, reader: new LogReader(replica, first) };
}

function messageOf(entry: LogEntry, at: number, writtenMs = START_MS + at) {
  return { kind: "entry", data: encodeEntry(entry), at, writtenMs } as const;
}

function applied(node: ReturnType<typeof makeNode>, entry: LogEntry, at: number) {
  const result = node.reader.take(messageOf(entry, at));
  if (result.kind !== "applied") throw new Error(`entry ${at} was not applied: ${result.kind}`);
  return result.reply;
}

test("whatever is asked, the log answers as the server in memory does", () => {
  fc.assert(
    fc.property(fc.array(leaseRequest, { maxLength: 60 }), (asked) => {
      const memory = new MemoryLeaseServer({ settings: SETTINGS, now: () => START_MS });
      const status = memory.execute({ kind: "status" }, "c");
      if (status.kind !== "guarded") throw new Error("it should keep out");
      memory.restart(undefined);
      const first = memory.execute({ kind: "status" }, "c");
      if (first.kind !== "guarded") throw new Error("it should keep out");
      memory.execute({ kind: "recover", guard: first.guard, floor: 0, first: true }, "c");
      const node = makeNode();
      for (const [index, request] of [...opened, ...asked].entries()) {
        const expected = memory.execute(request, "c");
        const message = messageOf(entryOf(request, index + 1), index + 1, START_MS);
        const result = node.reader.take(message);
        expect(timeless(result.kind === "applied" ? result.reply : undefined)).toEqual(timeless(expected));
      }
    }),
  );
});

test("whoever begins with a snapshot answers everything after it as those who have read all", () => {
  fc.assert(
    fc.property(
      fc.array(leaseRequest, { minLength: 1, maxLength: 80 }),
      fc.nat(79),
      fc.nat(10),
      (asked, cut, late) => {
        const old = makeNode();
        const young = makeNode(2);
        const entries = [...opened, ...asked].map((request, index) => entryOf(request, index + 1));
        const at = Math.min(entries.length, Math.max(1, cut));
        let parts: readonly Uint8Array[] = [];
        let place = 0;
        const take = (message: Parameters<LogReader["take"]>[0]) => {
          const result = old.reader.take(message);
          const other = message.at === 1 ? undefined : young.reader.take(message);
          if (result.kind === "applied" && other?.kind === "applied") {
            expect(timeless(other.reply)).toEqual(timeless(result.reply));
          }
        };
        for (const [index, entry] of entries.entries()) {
          place += 1;
          take(messageOf(entry, place));
          if (index + 1 === at) parts = encodeSnapshot(old.reader.snapshot(), "author") ?? [];
          if (index + 1 !== Math.min(entries.length, at + late)) continue;
          for (const data of parts) {
            place += 1;
            take({ kind: "part", data, at: place, writtenMs: START_MS + place });
          }
        }
        expect(young.reader.isKnown).toBe(true);
        expect(young.replica.dump()).toEqual(old.replica.dump());
      },
    ),
  );
});

test("a session ends when somebody has waited for a whole ttl since it was kept last, and not if it was kept meanwhile", () => {
  const [holder, rival] = [makeNode(), makeNode()];
  const session = makeSessionId("a", 1);
  const renew = { kind: "renew", session, connection: 1 } as const;
  for (const node of [holder, rival]) applied(node, entryOf({ ...renew, kind: "open" }, 1), 1);
  rival.clock.nowMs = SETTINGS.ttlMs - 1;
  expect(rival.replica.overdue(1_000, 10)).toEqual([]);
  rival.clock.nowMs = SETTINGS.ttlMs;
  const [note] = rival.replica.overdue(1_000, 10);
  expect(note).toEqual({ kind: "expire", session, keptAt: 1 });
  expect(rival.replica.overdue(1_000, 10)).toEqual([]);
  if (note === undefined) return;
  // The renewal came first.
  expect(applied(rival, entryOf(renew, 2), 2)).toMatchObject({ kind: "kept" });
  applied(rival, entryOf(note, 3), 3);
  expect(applied(rival, entryOf(renew, 4), 4)).toMatchObject({ kind: "kept" });
  // The word of silence came first.
  applied(holder, entryOf(note, 2), 2);
  expect(applied(holder, entryOf(renew, 3), 3)).toEqual({ kind: "noSession" });
});

test("whoever reads of a session in a snapshot waits for a whole ttl from then", () => {
  const [old, young] = [makeNode(), makeNode(2)];
  const session = makeSessionId("a", 1);
  applied(old, entryOf({ kind: "open", session, connection: 1 }, 1), 1);
  young.clock.nowMs = 50_000;
  for (const [index, data] of (encodeSnapshot(old.reader.snapshot(), "o") ?? []).entries()) {
    young.reader.take({ kind: "part", data, at: 2 + index, writtenMs: START_MS });
  }
  expect(young.reader.isKnown).toBe(true);
  expect(young.replica.overdue(1_000, 10)).toEqual([]);
  young.clock.nowMs += SETTINGS.ttlMs;
  expect(young.replica.overdue(1_000, 10)).toHaveLength(1);
});

test("what comes out of order from one author is not carried out", () => {
  const node = makeNode();
  const session = makeSessionId("a", 1);
  const item = { name: "x", claim: 1, proposal: 1, value: new Uint8Array(0), ticket: undefined };
  applied(node, entryOf({ kind: "open", session, connection: 1 }, 1), 1);
  applied(node, entryOf({ kind: "release", session, connection: 1, items: [] }, 3), 2);
  const late = entryOf({ kind: "acquire", session, connection: 1, items: [item] }, 2);
  expect(applied(node, late, 3)).toBeUndefined();
  const read = applied(node, entryOf({ kind: "read", names: ["x"] }, 4), 4);
  expect(read).toEqual({ kind: "read", items: [{ kind: "none" }] });
});

test("when a part of the log is lost, everyone keeps out for the guard, and tokens go on above the highest known", () => {
  const node = makeNode();
  const session = makeSessionId("a", 1);
  applied(node, entryOf({ kind: "open", session, connection: 1 }, 1), 1);
  expect(node.reader.take(messageOf(entryOf({ kind: "lost", epoch: 5, maxToken: 700 }, 2), 2))).toEqual({
    kind: "restarted",
  });
  const later = (request: LogEntry["request"], number: number) =>
    applied(node, entryOf(request, number, node.reader.mark), number);
  const { guardMs } = leaseTimes(SETTINGS);
  expect(later({ kind: "status" }, 3)).toMatchObject({
    kind: "guarded",
    waitMs: guardMs,
    needsFloor: false,
  });
  node.clock.nowMs = guardMs - 1;
  expect(node.replica.overdue(1_000, 10)).toEqual([]);
  node.clock.nowMs = guardMs;
  const [note] = node.replica.overdue(1_000, 10);
  expect(note).toMatchObject({ kind: "endGuard" });
  if (note === undefined) return;
  later({ kind: "endGuard", guard: "another" }, 4);
  // Whoever says it had not read of the loss.
  applied(node, entryOf(note, 5), 5);
  expect(later({ kind: "status" }, 6)).toMatchObject({ kind: "guarded" });
  later(note, 7);
  expect(later({ kind: "status" }, 8)).toEqual({ kind: "ready", maxToken: 700 });
  expect(later({ kind: "renew", session, connection: 1 }, 9)).toEqual({ kind: "noSession" });
  expect(node.reader.isForked).toBe(false);
});

test("a message that was deleted before it was read is a gap, and one that is no entry is skipped", () => {
  const node = makeNode();
  const status = entryOf({ kind: "status" }, 1);
  expect(node.reader.take({ ...messageOf(status, 1), data: Uint8Array.of(0xc1) })).toEqual({ kind: "none" });
  expect(node.reader.take(messageOf(status, 2))).toMatchObject({ kind: "applied" });
  expect(node.reader.take(messageOf(status, 2))).toEqual({ kind: "none" });
  expect(node.reader.take(messageOf(status, 4))).toEqual({ kind: "gap" });
});

test("one entry in so many has a snapshot written", () => {
  const node = makeNode();
  const due = [];
  for (let at = 1; at <= 3 * ENTRIES_PER_SNAPSHOT; at += 1) {
    applied(node, entryOf({ kind: "status" }, at), at);
    if (node.reader.isSnapshotDue) due.push(at);
  }
  expect(due).toEqual([1, 2, 3].map((each) => each * ENTRIES_PER_SNAPSHOT));
});
