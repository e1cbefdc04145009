import { beforeEach, describe, expect, test } from "vitest";
import { makeIncarnation, makeNodeId, type NodeId } from "../../../src/kernel/ids.ts";
import { OPERATIONS_PER_MESSAGE, RETRY_MS, TAIL_OPERATIONS } from "../../../src/replication/limits.ts";
import type { ReplicationMessage } from "../../../src/replication/messages.ts";
import { OwnLog } from "../../../src/replication/own-log.ts";
import { Replication } from "../../../src/replication/replication.ts";

/** An operation writes one number under one key: the table is what the log amounts to. */
interface Write {
  readonly key: string;
  readonly value: number;
}

type Message = ReplicationMessage<Write>;

class Site {
  readonly tables = new Map<NodeId, Map<string, { sequence: number; value: number }>>();
  readonly sent: [to: NodeId | "all", message: Message][] = [];
  readonly replication: Replication<Write>;

  constructor(readonly id: NodeId) {
    this.replication = new Replication<Write>("default", id, {
      apply: (owner, sequence, { key, value }) => this.table(owner).set(key, { sequence, value }),
      reset: (owner, entries) => {
        const all = entries.map(
          ({ sequence, operation }) => [operation.key, { sequence, value: operation.value }] as const,
        );
        this.tables.set(owner, new Map(all));
      },
      ownEntries: () =>
        [...this.table(id)].map(([key, { sequence, value }]) => ({ sequence, operation: { key, value } })),
      digestOf: (owner) => [...this.table(owner).values()].reduce((sum, { sequence }) => sum + sequence, 0),
      sizeOf: () => 50,
      send: (to, message) => this.sent.push([to, message]),
      broadcast: (message) => this.sent.push(["all", message]),
      advanced: () => {},
      unsent: () => {},
    });
  }

  table(owner: NodeId) {
    let table = this.tables.get(owner);
    if (table === undefined) {
      table = new Map();
      this.tables.set(owner, table);
    }
    return table;
  }

  write(...values: number[]): void {
    for (const value of values) this.replication.write({ key: `k${value % 10}`, value });
    this.replication.flush();
  }
}

describe("a replicated log", () => {
  let owner: Site;
  let reader: Site;
  let nowMs: number;

  beforeEach(() => {
    nowMs = 0;
    owner = new Site(makeNodeId("owner", makeIncarnation(1, [0, 1])));
    reader = new Site(makeNodeId("reader", makeIncarnation(1, [0, 2])));
    owner.replication.peerUp(reader.id, 0);
    reader.replication.peerUp(owner.id, 0);
    exchange();
  });

  /** Delivers all that both sides say, until they are silent. */
  function exchange(loses: (message: Message) => boolean = () => false): void {
    while (owner.sent.length + reader.sent.length > 0) {
      for (const [from, to] of [
        [owner, reader],
        [reader, owner],
      ] as const) {
        for (const [, message] of from.sent.splice(0)) {
          if (!loses(message)) to.replication.message(from.id, message, nowMs);
        }
      }
    }
  }

  function beat(): void {
    const { replication } = owner;
    const digest = [...owner.table(owner.id).values()].reduce((sum, { sequence }) => sum + sequence, 0);
    reader.replication.beat(owner.id, replication.positionOf(owner.id), digest, 0);
  }

  function same(): void {
    expect(reader.table(owner.id)).toEqual(owner.table(owner.id));
    expect(reader.replication.positionOf(owner.id)).toBe(owner.replication.positionOf(owner.id));
  }

  test("sends what was written in one step in one message", () => {
    owner.write(1, 2, 3);
    expect(owner.sent.map(([to, message]) => [to, message.kind])).toEqual([["all", "operations"]]);
    exchange();
    same();
  });

  test("mends a gap from the tail, and applies nothing twice", () => {
    owner.write(1);
    exchange();
    owner.write(2);
    owner.sent.length = 0;
    owner.write(3);
    exchange();
    same();
    expect(reader.replication.counts).toMatchObject({ gaps: 1, repairs: 1, snapshots: 0 });
  });

  test("learns from a heartbeat that the end was lost", () => {
    owner.write(1, 2);
    owner.sent.length = 0;
    beat();
    exchange();
    same();
  });

  test("asks again when the question or its answer is lost", () => {
    owner.write(1, 2);
    owner.sent.length = 0;
    beat();
    exchange((message) => message.kind === "need");
    expect(reader.replication.positionOf(owner.id)).toBe(0);
    reader.replication.tick(1_000);
    exchange();
    same();
  });

  test("gives a newcomer what stands, not the story of how it came to", () => {
    owner.write(1, 11, 21);
    owner.sent.length = 0;
    beat();
    exchange();
    same();
    expect(reader.replication.counts).toMatchObject({ repairs: 0, snapshots: 1 });
  });

  test("takes a snapshot when the tail does not reach back", () => {
    for (let index = 0; index <= TAIL_OPERATIONS; index += 1) owner.write(index);
    owner.sent.length = 0;
    beat();
    exchange();
    same();
    expect(reader.replication.counts.snapshots).toBe(1);
  });

  test("takes a snapshot in chunks while writing goes on, with pieces lost", () => {
    const keys = 40 * OPERATIONS_PER_MESSAGE;
    for (let value = 0; value < keys; value += 1) owner.replication.write({ key: `k${value}`, value });
    for (let value = 0; value <= TAIL_OPERATIONS; value += 1) owner.replication.write({ key: "hot", value });
    owner.replication.flush();
    owner.sent.length = 0;
    beat();
    let pieces = 0;
    for (let round = 1; round < 60 && reader.replication.positionOf(owner.id) === 0; round += 1) {
      owner.write(round);
      exchange((message) => {
        pieces += message.kind === "snapshot" ? 1 : 0;
        return message.kind === "snapshot" && pieces % 7 === 0;
      });
      nowMs = round * 1_000;
      reader.replication.tick(nowMs);
    }
    exchange();
    same();
    expect(pieces).toBeGreaterThan(40);
  });

  test("asks for a snapshot when the digests differ at the same position", () => {
    owner.write(1, 2, 3);
    exchange();
    reader.table(owner.id).delete("k2");
    beat();
    exchange();
    same();
    expect(reader.replication.counts).toMatchObject({ digestMismatches: 1, snapshots: 1 });
  });

  test.each([
    ["for what comes after", { kind: "need", scope: "default", after: 1, snapshot: false }],
    ["for a snapshot", { kind: "need", scope: "default", after: 0, snapshot: true }],
    ["for the same piece of a snapshot", { kind: "snapshotMore", scope: "default", id: 1, next: 3 }],
    ["for a snapshot that is not held", { kind: "snapshotMore", scope: "default", id: 99, next: 3 }],
  ] as const)(
    "an asker that asks again and again %s is answered a few times, and later again",
    (_, question) => {
      const other = makeNodeId("other", makeIncarnation(1, [0, 3]));
      owner.replication.peerUp(other, 0);
      for (let value = 0; value < 40 * OPERATIONS_PER_MESSAGE; value += 1)
        owner.replication.write({ key: `k${value}`, value });
      owner.replication.flush();
      const { counts } = owner.replication;
      owner.replication.message(reader.id, { kind: "need", scope: "default", after: 0, snapshot: true }, 0);
      owner.sent.length = 0;
      for (let index = 0; index < 1_000; index += 1) owner.replication.message(reader.id, question, 0);
      expect(owner.sent.length).toBeLessThanOrEqual(64);
      expect(counts.questionsIgnored).toBeGreaterThan(900);
      owner.sent.length = 0;
      owner.replication.message(other, { kind: "need", scope: "default", after: 1, snapshot: false }, 0);
      expect(owner.sent.length).toBeGreaterThan(0);
      owner.sent.length = 0;
      owner.replication.message(reader.id, question, RETRY_MS);
      expect(owner.sent.length).toBeGreaterThan(0);
    },
  );

  test("starts from nothing with a peer that was down", () => {
    owner.write(1, 2, 3);
    exchange();
    reader.replication.peerDown(owner.id);
    reader.tables.delete(owner.id);
    owner.write(4);
    exchange();
    expect(reader.tables.get(owner.id)).toBe(undefined);
    reader.replication.peerUp(owner.id, 0);
    exchange();
    same();
  });
});

test("a log keeps its tail and no more", () => {
  const log = new OwnLog<number>();
  for (let value = 1; value <= TAIL_OPERATIONS + 10; value += 1) expect(log.append(value)).toBe(value);
  expect(log.after(TAIL_OPERATIONS + 7, 100)).toEqual([8, 9, 10].map((value) => TAIL_OPERATIONS + value));
  expect(log.after(10, 3)).toEqual([11, 12, 13]);
  expect(log.after(9, 3)).toBe(undefined);
  expect(log.after(log.position, 3)).toEqual([]);
  expect(log.after(log.position + 1, 3)).toBe(undefined);
});
