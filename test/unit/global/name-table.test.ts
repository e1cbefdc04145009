import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ENDS_REMEMBERED } from "../../../src/global/limits.ts";
import { makePid } from "../../../src/kernel/ids.ts";
import { Value } from "../../../src/kernel/value.ts";
import { drop, metaOf, nodeNamed, put, RecordedTable, stampAt } from "./entries.ts";

const [a, b, c] = [nodeNamed("a"), nodeNamed("b"), nodeNamed("c")];

/** A registration of b, as the former owner's own drop tells of it. */
const SUCCESSOR = {
  owner: b,
  id: 4,
  sequence: 4,
  serial: 7,
  meta: Value.undefined,
  stamp: stampAt(9),
  supersedes: [],
} as const;

describe("the name table", () => {
  test("of two live registrations shows the older, whichever came first", () => {
    const one = new RecordedTable();
    one.apply(a, 1, put("x", { atMs: 5 }));
    one.apply(b, 1, put("x", { atMs: 3 }));
    const other = new RecordedTable();
    other.apply(b, 1, put("x", { atMs: 3 }));
    other.apply(a, 1, put("x", { atMs: 5 }));
    expect(one.holder("x")).toBe(makePid(b, 1));
    expect(other.holder("x")).toBe(makePid(b, 1));
    expect(one.table.visible("x").map((entry) => entry.owner)).toEqual([b, a]);
  });

  test("hides a superseded registration, whichever came first", () => {
    const taken = put("x", { atMs: 9, supersedes: [{ owner: a, id: 1, how: "takenOver" }] });
    const inOrder = new RecordedTable();
    inOrder.apply(a, 1, put("x"));
    inOrder.apply(b, 1, taken);
    const overtaken = new RecordedTable();
    overtaken.apply(b, 1, taken);
    overtaken.apply(a, 1, put("x"));
    for (const { table } of [inOrder, overtaken]) {
      expect(table.visible("x").map((entry) => entry.owner)).toEqual([b]);
    }
    expect(overtaken.changes).toEqual(["x: ->b"]);
  });

  test("shows a name whose metadata is no value, by a peer's fault, without it", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, { ...put("x"), meta: Value.fromBytes(Uint8Array.of(0xc1, 0xff)) });
    expect(recorded.table.whereis("x")).toMatchObject({ name: "x", pid: makePid(a, 1), meta: undefined });
    expect([...recorded.table.list()]).toHaveLength(1);
  });

  test("hides what an owner had registered before the registration that is superseded", () => {
    const recorded = new RecordedTable();
    recorded.apply(b, 1, put("x", { atMs: 9, supersedes: [{ owner: a, id: 2, how: "takenOver" }] }));
    recorded.apply(a, 1, put("x", { atMs: 1 }));
    recorded.apply(a, 2, put("x", { atMs: 2 }));
    expect(recorded.changes).toEqual(["x: ->b"]);
    recorded.apply(a, 3, put("x", { atMs: 3 }));
    expect(recorded.holder("x")).toBe(makePid(a, 1));
  });

  test("keeps a superseded registration hidden behind a tombstone", () => {
    const recorded = new RecordedTable();
    const supersedes = [{ owner: a, id: 1, how: "takenOver" }] as const;
    recorded.apply(b, 1, put("x", { supersedes }));
    recorded.apply(b, 2, put("x", { id: 1, serial: 0, supersedes }));
    recorded.apply(a, 1, put("x"));
    expect(recorded.holder("x")).toBe(undefined);
    expect(recorded.table.count()).toBe(0);
    recorded.apply(a, 2, drop("x"));
    recorded.apply(b, 3, drop("x"));
    expect(recorded.table.sizeOf(b)).toBe(0);
  });

  describe("of registrations that ended lately", () => {
    test("knows the latest of each owner, as their own words and no other tell", () => {
      const recorded = new RecordedTable();
      recorded.apply(a, 1, put("x"));
      recorded.apply(a, 2, put("x"));
      recorded.apply(b, 1, put("x"));
      recorded.apply(c, 1, put("x"));
      expect(recorded.table.endedUnder("x")).toEqual([{ owner: a, id: 1 }]);
      recorded.apply(a, 3, drop("x"));
      recorded.apply(b, 2, put("x", { id: 1, serial: 0 }));
      recorded.table.purge(c, { kind: "released" });
      expect(recorded.table.endedUnder("x")).toEqual([
        { owner: b, id: 1 },
        { owner: a, id: 2 },
      ]);
    });

    test("remembers no more than its limits, the latest longest", () => {
      const recorded = new RecordedTable();
      const ends = 2 * ENDS_REMEMBERED + 1;
      for (let index = 0; index < ends; index += 1) {
        recorded.apply(a, 2 * index + 1, put(`x${index}`));
        recorded.apply(a, 2 * index + 2, drop(`x${index}`));
      }
      const known = Array.from({ length: ends }, (_, index) => recorded.table.endedUnder(`x${index}`).length);
      expect(known.lastIndexOf(0)).toBe(ENDS_REMEMBERED - 1);
      expect(known.slice(ENDS_REMEMBERED).every((count) => count === 1)).toBe(true);
    });
  });

  describe("once told that a registration is over, before its owner's log says so", () => {
    const ref = { owner: a, id: 1 };
    const takeover = put("x", { atMs: 9, supersedes: [{ ...ref, how: "takenOver" }] });

    test("does not show it again, whether it was known or comes later", () => {
      const known = new RecordedTable();
      known.apply(a, 1, put("x"));
      known.apply(b, 1, takeover);
      known.apply(b, 2, drop("x", undefined, [ref]));
      const later = new RecordedTable();
      later.apply(b, 1, takeover);
      later.apply(b, 2, drop("x", undefined, [ref]));
      later.apply(a, 1, put("x"));
      expect(known.changes).toEqual(["x: ->a", "x: a>b takenOver", "x: b>- released"]);
      expect(later.changes).toEqual(["x: ->b", "x: b>- released"]);
      for (const { table } of [known, later]) {
        expect([table.holder("x"), table.visible("x"), table.count()]).toEqual([undefined, [], 0]);
      }
    });

    test("does not show it when a snapshot brings it that was made before its end", () => {
      const recorded = new RecordedTable();
      recorded.apply(b, 1, put("x", { ended: [ref] }));
      recorded.positions.set(a, 5);
      recorded.table.reset(a, 5, [{ sequence: 1, operation: put("x", { id: 1 }) }]);
      expect(recorded.changes).toEqual(["x: ->b"]);
      recorded.apply(a, 6, drop("x"));
      expect(recorded.changes).toEqual(["x: ->b"]);
    });

    test("goes on showing what it shows, until its owner says why it ended", () => {
      const recorded = new RecordedTable();
      recorded.apply(a, 1, put("x"));
      recorded.apply(b, 1, put("x", { atMs: 9, ended: [ref] }));
      expect(recorded.holder("x")).toBe(makePid(a, 1));
      recorded.apply(a, 2, drop("x"));
      expect(recorded.changes).toEqual(["x: ->a", "x: a>b released"]);
    });

    // 1. c tells of a's registration ahead of a's log, and then that it is over. 2. It tells, or b does, of a later one of a's,
    // which takes its place. 3. The log comes to the first.
    test("does not show it again where it was only told ahead of its owner", () => {
      const recorded = new RecordedTable();
      const told = { serial: 1, meta: Value.undefined, supersedes: [] };
      recorded.apply(c, 1, drop("x", { ...told, ...ref, sequence: 1, stamp: stampAt(1) }));
      recorded.apply(c, 2, put("x", { atMs: 9, ended: [ref] }));
      recorded.apply(b, 1, drop("x", { ...told, owner: a, id: 3, sequence: 3, stamp: stampAt(10) }));
      recorded.apply(a, 1, put("x"));
      expect(recorded.changes).toEqual(["x: ->a", "x: a>c released"]);
    });

    test("shows what its owner registers next", () => {
      const recorded = new RecordedTable();
      recorded.apply(b, 1, takeover);
      recorded.apply(b, 2, drop("x", undefined, [ref]));
      recorded.apply(a, 1, put("x"));
      recorded.apply(a, 2, put("x", { serial: 2 }));
      expect(recorded.holder("x")).toBe(makePid(a, 2));
      expect(recorded.table.endedAhead).toBe(0);
    });

    test("forgets of it when its owner's log has passed the end, or the owner is down", () => {
      const end = drop("x", undefined, [ref]);
      const byDrop = new RecordedTable();
      byDrop.apply(a, 1, put("x"));
      byDrop.apply(b, 1, takeover);
      byDrop.apply(b, 2, end);
      expect(byDrop.table.endedAhead).toBe(1);
      byDrop.apply(a, 2, drop("x"));
      const bySnapshot = new RecordedTable();
      bySnapshot.apply(b, 1, end);
      bySnapshot.table.reset(a, 0, []);
      expect(bySnapshot.table.endedAhead).toBe(1);
      bySnapshot.table.reset(a, 3, []);
      const byDeath = new RecordedTable();
      byDeath.apply(b, 1, end);
      byDeath.table.purge(a, { kind: "released" });
      const byKnowledge = new RecordedTable();
      byKnowledge.apply(a, 1, put("x"));
      byKnowledge.apply(a, 2, drop("x"));
      byKnowledge.apply(b, 1, end);
      for (const { table } of [byDrop, bySnapshot, byDeath, byKnowledge]) expect(table.endedAhead).toBe(0);
    });

    test("takes a tombstone for its end, however long that stands", () => {
      const tombstone = put("x", { id: 1, serial: 0, supersedes: [{ owner: b, id: 1, how: "takenOver" }] });
      const later = new RecordedTable();
      later.apply(b, 1, put("x", { ended: [ref] }));
      expect(later.table.endedAhead).toBe(1);
      later.apply(a, 1, put("x"));
      later.apply(a, 2, tombstone);
      const earlier = new RecordedTable();
      earlier.apply(a, 1, put("x"));
      earlier.apply(a, 2, tombstone);
      earlier.apply(b, 1, put("x", { ended: [ref] }));
      const bySnapshot = new RecordedTable();
      bySnapshot.apply(b, 1, put("x", { ended: [ref] }));
      bySnapshot.positions.set(a, 2);
      bySnapshot.table.reset(a, 2, [{ sequence: 2, operation: tombstone }]);
      for (const { table } of [later, earlier, bySnapshot]) {
        expect(table.endedAhead).toBe(0);
        expect(table.isOpen(ref, "x")).toBe(false);
      }
    });
  });

  test("shows a successor without a gap when the former owner's word comes first", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x"));
    const supersedes = [{ owner: a, id: 1, how: "takenOver" }] as const;
    recorded.apply(
      a,
      2,
      drop("x", { owner: b, id: 4, sequence: 4, serial: 7, meta: metaOf(1), stamp: stampAt(9), supersedes }),
    );
    expect(recorded.holder("x")).toBe(makePid(b, 7));
    recorded.apply(b, 4, put("x", { serial: 7, meta: 1, atMs: 9, supersedes }));
    expect(recorded.holder("x")).toBe(makePid(b, 7));
    expect(recorded.table.visible("x").length).toBe(1);
    expect(recorded.changes).toEqual(["x: ->a", "x: a>b takenOver"]);
  });

  test("tells when a successor is written later than what its owner's log has come to here", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x"));
    const supersedes = [{ owner: a, id: 1, how: "takenOver" }] as const;
    const told = { owner: b, id: 4, sequence: 5, serial: 7, stamp: stampAt(9), supersedes };
    recorded.apply(a, 2, drop("x", { ...told, meta: metaOf(2) }));
    recorded.apply(b, 4, put("x", { serial: 7, meta: 1, atMs: 9, supersedes }));
    expect(recorded.table.whereis("x")?.meta).toBe(1);
    recorded.apply(b, 5, put("x", { id: 4, serial: 7, meta: 2, atMs: 9, supersedes }));
    expect(recorded.table.whereis("x")?.meta).toBe(2);
    expect(recorded.changes).toEqual(["x: ->a", "x: a>b takenOver", "x: b>b", "x: b>b"]);
  });

  test("keeps to the later of two successors told ahead of one owner", () => {
    const recorded = new RecordedTable();
    const told = { owner: b, serial: 7, meta: metaOf(1), stamp: stampAt(9), supersedes: [] };
    recorded.apply(a, 2, drop("x", { ...told, id: 8, sequence: 8 }));
    recorded.apply(c, 2, drop("x", { ...told, id: 4, sequence: 4 }));
    expect(recorded.table.holder("x")?.id).toBe(8);
  });

  test("tells of a holder that was released beside a younger one that it was released", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x", { atMs: 1 }));
    recorded.apply(b, 1, put("x", { atMs: 2 }));
    recorded.apply(a, 2, drop("x"));
    expect(recorded.changes).toEqual(["x: ->a", "x: a>b released"]);
  });

  test("tells of a holder that became a tombstone beside a younger one that it was released", () => {
    const recorded = new RecordedTable();
    const supersedes = [{ owner: c, id: 1, how: "clashExit" }] as const;
    recorded.apply(a, 1, put("x", { atMs: 1, supersedes }));
    recorded.apply(b, 1, put("x", { atMs: 2 }));
    recorded.apply(a, 2, put("x", { id: 1, serial: 0, atMs: 1, supersedes }));
    expect(recorded.changes).toEqual(["x: ->a", "x: a>b released"]);
  });

  test("tells of the loser of a clash that it lost, though a third shows then, which took nothing from it", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x", { atMs: 1 }));
    recorded.apply(b, 1, put("x", { atMs: 3 }));
    recorded.apply(c, 1, put("x", { atMs: 2 }));
    recorded.apply(b, 2, put("x", { id: 1, atMs: 3, supersedes: [{ owner: a, id: 1, how: "clashExit" }] }));
    expect(recorded.holder("x")).toBe(makePid(c, 1));
    expect(recorded.changes).toEqual(["x: ->a", "x: a>c ended"]);
  });

  test("counts a successor that is told ahead among its owner's and its process's names, once", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x"));
    const supersedes = [{ owner: a, id: 1, how: "takenOver" }] as const;
    const told = { owner: b, id: 1, sequence: 1, serial: 7, meta: metaOf(1), stamp: stampAt(9), supersedes };
    recorded.apply(a, 2, drop("x", told));
    const { table } = recorded;
    expect([table.count(a), table.count(b), table.namesOf(makePid(b, 7))]).toEqual([0, 1, ["x"]]);
    recorded.apply(b, 1, put("x", { serial: 7, meta: 1, atMs: 9, supersedes }));
    expect([table.count(a), table.count(b), table.namesOf(makePid(b, 7))]).toEqual([0, 1, ["x"]]);
    table.purge(b, { kind: "released" });
    expect([table.count(), table.count(b), table.namesOf(makePid(b, 7))]).toEqual([0, 0, []]);
  });

  test("drops a successor whose owner's own log knows nothing of it any more", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x"));
    recorded.apply(a, 2, drop("x", SUCCESSOR));
    recorded.apply(b, 4, put("y"));
    expect(recorded.holder("x")).toBe(undefined);
  });

  test("does not bring back a successor that its owner released before this news came", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x"));
    recorded.apply(
      b,
      4,
      put("x", { serial: 7, atMs: 9, supersedes: [{ owner: a, id: 1, how: "takenOver" }] }),
    );
    recorded.apply(b, 5, drop("x"));
    recorded.apply(a, 2, drop("x", SUCCESSOR));
    expect(recorded.holder("x")).toBe(undefined);
  });

  test("tells nothing of a registration that was known to be over when its node is purged", () => {
    const recorded = new RecordedTable();
    recorded.apply(c, 1, put("x"));
    recorded.apply(b, 1, put("x", { supersedes: [{ owner: c, id: 1, how: "takenOver" }] }));
    recorded.apply(b, 2, drop("x", undefined, [{ owner: c, id: 1 }]));
    expect(recorded.holder("x")).toBe(undefined);
    const told = [...recorded.changes];
    recorded.table.purge(c, { kind: "released" });
    expect(recorded.changes).toEqual(told);
    expect(recorded.table.count(c)).toBe(0);
  });

  test("purges all of a node, with what was told ahead of it, and gives the reason", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x"));
    recorded.apply(a, 2, put("y"));
    recorded.apply(b, 1, put("z"));
    recorded.apply(
      b,
      2,
      drop("z", {
        owner: a,
        id: 9,
        sequence: 9,
        serial: 1,
        meta: Value.undefined,
        stamp: stampAt(1),
        supersedes: [],
      }),
    );
    const reason = { kind: "nodeDown", node: a, cause: "silent" } as const;
    expect(recorded.table.purge(a, { kind: "ended", reason })).toBe(2);
    for (const name of ["x", "y", "z"]) expect(recorded.holder(name)).toBe(undefined);
    expect(recorded.changes.filter((change) => change.endsWith("ended"))).toEqual([
      "x: a>- ended",
      "y: a>- ended",
    ]);
    expect([recorded.table.count(), recorded.table.digestOf(a)]).toEqual([0, 0]);
  });

  test("a snapshot replaces all knowledge of its owner and tells only differences", () => {
    const recorded = new RecordedTable();
    recorded.apply(a, 1, put("x"));
    recorded.apply(a, 2, put("y"));
    recorded.changes.length = 0;
    recorded.table.reset(a, 9, [
      { sequence: 1, operation: put("x", { id: 1 }) },
      { sequence: 8, operation: put("z", { id: 8, serial: 3 }) },
    ]);
    expect(recorded.changes).toEqual(["z: ->a", "y: a>- released"]);
    expect([...recorded.table.list()].map((registration) => registration.name)).toEqual(["x", "z"]);
  });

  test("takes names like __proto__ and constructor for what they are", () => {
    const recorded = new RecordedTable();
    for (const [index, name] of ["__proto__", "constructor", "a.b >*", "\r\n", "💥"].entries()) {
      expect(recorded.holder(name)).toBe(undefined);
      recorded.apply(a, index + 1, put(name));
      expect(recorded.holder(name)).toBe(makePid(a, 1));
    }
    expect(recorded.table.namesOf(makePid(a, 1)).length).toBe(5);
  });

  test("is a function of what each owner wrote, not of how owners interleave", () => {
    const owners = [a, b, c];
    const operation = fc.record({
      owner: fc.constantFrom(0, 1, 2),
      name: fc.constantFrom("x", "y"),
      atMs: fc.integer({ min: 1, max: 4 }),
      drops: fc.boolean(),
      supersedes: fc.option(
        fc.record({ owner: fc.constantFrom(0, 1, 2), id: fc.integer({ min: 1, max: 6 }) }),
      ),
    });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 24 }),
        fc.infiniteStream(fc.nat(2)),
        (operations, order) => {
          const logs = owners.map((_, owner) => operations.filter((entry) => entry.owner === owner));
          const straight = new RecordedTable();
          const shuffled = new RecordedTable();
          const feed = (into: RecordedTable, owner: number, index: number) => {
            const entry = logs[owner]?.[index];
            const node = owners[owner];
            if (entry === undefined || node === undefined) return;
            const ref = entry.supersedes;
            const supersedes =
              ref === null || ref.owner === owner
                ? []
                : [{ owner: owners[ref.owner] ?? a, id: ref.id, how: "takenOver" as const }];
            into.apply(
              node,
              index + 1,
              entry.drops ? drop(entry.name) : put(entry.name, { atMs: entry.atMs, supersedes }),
            );
          };
          logs.forEach((log, owner) => {
            log.forEach((_, index) => {
              feed(straight, owner, index);
            });
          });
          const next = [0, 0, 0];
          for (const owner of order) {
            if (next.every((index, at) => index >= (logs[at]?.length ?? 0))) break;
            feed(shuffled, owner, next[owner] ?? 0);
            next[owner] = Math.min((next[owner] ?? 0) + 1, logs[owner]?.length ?? 0);
          }
          for (const name of ["x", "y"]) expect(shuffled.holder(name)).toBe(straight.holder(name));
          for (const owner of owners)
            expect(shuffled.table.digestOf(owner)).toBe(straight.table.digestOf(owner));
          expect(shuffled.table.count()).toBe(straight.table.count());
        },
      ),
      { numRuns: 300 },
    );
  });
});
