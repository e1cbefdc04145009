import { expect, test } from "vitest";
import { encodeEntry, type LogEntry } from "../../../src/lease/jetstream/entry.ts";
import { LogReader } from "../../../src/lease/jetstream/log-reader.ts";
import { LeaseReplica } from "../../../src/lease/jetstream/replica.ts";
import { encodeSnapshot } from "../../../src/lease/jetstream/snapshot.ts";
import { LOG_START } from "../../../src/lease/jetstream/trail.ts";
import { ITEMS_PER_REQUEST } from "../../../src/lease/limits.ts";
import { type LeaseRequest, makeSessionId, type SessionId } from "../../../src/lease/requests.ts";

const SETTINGS = { ttlMs: 10_000, clockRateBound: 0.01, serverStepMs: 0 };
const NAMES = 20 * ITEMS_PER_REQUEST;

/** A log that several read. Everyone who joins begins with a snapshot of the first. */
function makeLog() {
  const makeNode = (first: number) => {
    const replica = new LeaseReplica(SETTINGS, () => 0);
    return { replica, reader: new LogReader(replica, first) };
  };
  const nodes = [makeNode(1)];
  let at = 0;
  const take = (kind: "entry" | "part", data: Uint8Array) => {
    at += 1;
    for (const { reader } of nodes) reader.take({ kind, data, at, writtenMs: at });
  };
  const write = (request: LogEntry["request"]) => {
    const common = { author: "author", number: at + 1, id: at + 1, configuration: "c" };
    take("entry", encodeEntry({ ...common, mark: nodes[0]?.reader.mark ?? LOG_START, request }));
  };
  const join = () => {
    const [first] = nodes;
    if (first === undefined) return;
    const snapshot = first.reader.snapshot();
    nodes.push(makeNode(at + 1));
    for (const part of encodeSnapshot(snapshot, "author") ?? []) take("part", part);
  };
  const open = (session: SessionId) => write({ kind: "open", session, connection: 1 });
  const close = (session: SessionId) => write({ kind: "close", session, connection: 1 });
  const acquire = (session: SessionId, prefix: string, ticket: number | undefined) => {
    for (let from = 0; from < NAMES; from += ITEMS_PER_REQUEST) {
      const items = Array.from({ length: ITEMS_PER_REQUEST }, (_, index) => {
        const name = `${prefix} ${from + index}`;
        return { name, claim: 1, proposal: 1, value: new Uint8Array(0), ticket };
      });
      write({ kind: "acquire", session, connection: 1, items } satisfies LeaseRequest);
    }
  };
  return { nodes, join, open, close, acquire };
}

test("queues of those who died while they waited are gone when others have come, whatever was asked for", () => {
  const { nodes, acquire, close, join, open } = makeLog();
  const [first] = nodes;
  const queues = () => first?.replica.dump().data.queues.length ?? 0;
  const waits = makeSessionId("waits", 1);
  open(waits);
  const most = [];
  for (let crash = 1; crash <= 5; crash += 1) {
    const [holder, waiter] = [makeSessionId("holder", crash), makeSessionId("waiter", crash)];
    open(holder);
    open(waiter);
    acquire(holder, `job ${crash}`, undefined);
    acquire(waiter, `job ${crash}`, 0);
    if (crash === 1) acquire(waits, "job 1", 0);
    expect(queues()).toBeGreaterThanOrEqual(NAMES);
    join();
    close(holder);
    close(waiter);
    most.push(queues());
  }
  for (let each = 1; each <= 40_000; each += 1) open(makeSessionId("new", each));
  // Somebody waits for those still.
  const left = first?.replica.dump().data.queues ?? [];
  expect(left.length).toBe(NAMES);
  expect(left.every(([, { waiters }]) => waiters.length === 1 && waiters[0]?.session === waits)).toBe(true);
  expect(Math.max(...most)).toBeLessThanOrEqual(4 * NAMES);
  // All have swept at the same entries.
  expect(nodes.length).toBe(6);
  for (const { reader, replica } of nodes) {
    expect(reader.isKnown).toBe(true);
    expect(replica.dump()).toEqual(first?.replica.dump());
  }
});
