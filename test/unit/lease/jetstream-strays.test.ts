import { expect, test } from "vitest";
import { encodeEntry, type LogEntry } from "../../../src/lease/jetstream/entry.ts";
import { EPOCH_REACH, MAX_MARK, SANE_TOKEN, TOKEN_REACH } from "../../../src/lease/jetstream/limits.ts";
import { LOG_START } from "../../../src/lease/jetstream/trail.ts";
import { MAX_TOKEN } from "../../../src/lease/limits.ts";
import { makeSessionId } from "../../../src/lease/requests.ts";
import { leaseTimes } from "../../../src/lease/settings.ts";
import { ForkedLog, LogNode, SETTINGS } from "./forked-log.ts";

const A = makeSessionId("a", 1);
const { guardMs } = leaseTimes(SETTINGS);

function makePair() {
  const log = new ForkedLog(1);
  const nodes = [new LogNode(log, "a", 0), new LogNode(log, "b", 0)] as const;
  expect(nodes[0].open(A)?.kind).toBe("kept");
  nodes[1].read();
  return { log, nodes };
}

/** One entry of somebody who writes what no node would. */
function stray(log: ForkedLog, entry: Partial<LogEntry>): void {
  const honest = { author: "s", number: 1, id: 1, configuration: "c", mark: LOG_START } as const;
  log.append("entry", encodeEntry({ ...honest, request: { kind: "status" }, ...entry }));
}

/** Until all trust what they read. @returns how often it was said that the log was lost */
function settle(log: ForkedLog, nodes: readonly LogNode[]): number {
  const before = log.losses;
  for (let round = 0; round < 100; round += 1) {
    for (const node of nodes) node.read();
    for (const node of nodes) node.read();
    if (nodes.every(({ isTrusting }) => isTrusting)) return log.losses - before;
    log.nowMs += SETTINGS.ttlMs / 6;
  }
  throw new Error("it is never trusted again");
}

/** Time passes, and a name is asked for in a new session. @returns its token */
function tokenAfterGuard(log: ForkedLog, [first, ...rest]: readonly LogNode[]): number | undefined {
  log.nowMs += guardMs;
  for (const note of first?.replica.overdue(1_000, 10) ?? []) first?.write(note);
  for (const node of rest) node.read();
  const session = makeSessionId("later", 1);
  first?.open(session);
  return first?.acquire(session);
}

test.each<[string, Partial<LogEntry>]>([
  ["a mark that no number comes after", { mark: { epoch: Number.MAX_SAFE_INTEGER, count: 0, digest: 0 } }],
  ["a count that none comes after", { mark: { epoch: 0, count: MAX_MARK + 1, digest: 0 } }],
  ["a count below none", { mark: { epoch: 0, count: -1, digest: 0 } }],
  ["another configuration, and a mark of its own", { configuration: "d", mark: { ...LOG_START, epoch: 9 } }],
  [
    "another configuration, and a loss",
    { configuration: "d", request: { kind: "lost", epoch: 9, maxToken: 1 } },
  ],
  [
    "a loss that none comes after",
    { request: { kind: "lost", epoch: Number.MAX_SAFE_INTEGER, maxToken: 1 } },
  ],
  ["a loss that is out of reach", { request: { kind: "lost", epoch: EPOCH_REACH + 1, maxToken: 1 } }],
  [
    "a loss of tokens that are out of reach",
    { request: { kind: "lost", epoch: 9, maxToken: SANE_TOKEN + 1 } },
  ],
  ["a loss that leaves no token", { request: { kind: "lost", epoch: 9, maxToken: MAX_TOKEN } }],
])("%s ends nobody's session", (_what, entry) => {
  const { log, nodes } = makePair();
  stray(log, entry);
  expect(settle(log, nodes)).toBe(0);
  expect(nodes[0].ask({ kind: "renew", session: A, connection: 1 })).toMatchObject({ kind: "kept" });
});

test("whatever epoch a stray entry has, names can be had again after one guard, and there are epochs left", () => {
  for (const epoch of [5, EPOCH_REACH, EPOCH_REACH + 1, MAX_MARK]) {
    const { log, nodes } = makePair();
    stray(log, { mark: { epoch, count: 0, digest: 0 } });
    expect(settle(log, nodes)).toBeLessThanOrEqual(nodes.length);
    expect(nodes[0].reader.mark.epoch).toBeLessThanOrEqual(EPOCH_REACH);
    expect(tokenAfterGuard(log, nodes)).toBe(1);
  }
});

test("tokens go on one by one above the highest that is anyone's guess", () => {
  const { log, nodes } = makePair();
  stray(log, { request: { kind: "lost", epoch: 9, maxToken: SANE_TOKEN } });
  settle(log, nodes);
  expect(tokenAfterGuard(log, nodes)).toBe(SANE_TOKEN + 1);
});

test("whoever knows of an epoch and of tokens that are out of reach says so in several steps", () => {
  const { log, nodes } = makePair();
  const other = new ForkedLog(1);
  const traveller = new LogNode(other, "t", 0);
  const steps = 4;
  for (let step = 1; step <= steps; step += 1) {
    const maxToken = SANE_TOKEN + (step - 1) * TOKEN_REACH;
    stray(other, { number: step, request: { kind: "lost", epoch: step * EPOCH_REACH, maxToken } });
  }
  traveller.read();
  expect(traveller.reader.mark.epoch).toBe(steps * EPOCH_REACH);
  // What it had read is gone.
  for (const node of nodes) node.losses.give(traveller.reader);
  expect(settle(log, nodes)).toBeGreaterThan(steps);
  expect(nodes[0].reader.mark.epoch).toBeGreaterThan(steps * EPOCH_REACH);
  expect(tokenAfterGuard(log, nodes)).toBe(SANE_TOKEN + (steps - 1) * TOKEN_REACH + 1);
});
