import { describe, expect, test } from "vitest";
import { WitnessRecord } from "../support/witness-record.ts";
import type { Note } from "../support/worker/witness-client.ts";

type Told = readonly [client: number, note: Note];

function violations(told: readonly Told[]): readonly string[] {
  const record = new WitnessRecord();
  for (const [client, note] of told) record.add("x", client, note);
  return [...record.violations()];
}

function asks(id: number, atMs: number): Note {
  return { kind: "asks", id, pid: `pid ${id}`, atMs };
}

function granted(id: number, token: number, atMs: number): Note {
  return { kind: "granted", id, token, atMs };
}

function held(token: number, fromMs: number, by: "isHeld" | "signal" = "isHeld"): Note {
  return { kind: "held", by, token, fromMs, toMs: fromMs + 0.1 };
}

/** 10 is held from 2 to 8 and given back by 9; 11 is waited for since 3, and granted at 10. */
const GOOD: readonly Told[] = [
  [1, asks(1, 1)],
  [1, granted(1, 10, 2)],
  [1, held(10, 2)],
  [2, asks(2, 3)],
  [3, { kind: "found", pid: "pid 1", token: 10, fromMs: 4, toMs: 5 }],
  [1, held(10, 8)],
  [1, { kind: "releases", token: 10, atMs: 8.5 }],
  [1, { kind: "released", token: 10, atMs: 9 }],
  [2, granted(2, 11, 10)],
  [2, held(11, 10.1)],
];

describe("a record of who held a name", () => {
  test("of holders one after another is in order, and counts them", () => {
    expect(violations(GOOD)).toEqual([]);
    const record = new WitnessRecord();
    for (const [client, note] of GOOD) record.add("x", client, note);
    expect([record.acquisitions, record.takeovers]).toEqual([2, 0]);
  });

  test.each<[string, readonly Told[], RegExp]>([
    ["a holder that holds on", [[1, held(10, 10.5)]], /10 was held \(isHeld\) 0.3 ms after 11 was/],
    ["a signal that is late", [[1, held(10, 10.5, "signal")]], /10 was held \(signal\)/],
    [
      "a token that goes down",
      [
        [3, asks(3, 11)],
        [3, granted(3, 9, 12)],
        [3, held(9, 12)],
      ],
      /9 was held/,
    ],
    [
      "a token given twice",
      [
        [3, asks(3, 11)],
        [3, granted(3, 11, 12)],
      ],
      /11 was granted twice/,
    ],
    [
      "an abort of what is held",
      [[2, { kind: "aborted", token: 11, isHeld: true, atMs: 11 }]],
      /11 was aborted while it was held/,
    ],
    [
      "a refused holder",
      [[2, { kind: "refused", token: 11, isHeld: true, atMs: 11 }]],
      /11 was refused while it was held/,
    ],
    ["a lookup that finds nobody", [[3, { kind: "free", fromMs: 6, toMs: 7 }]], /none of/],
    [
      "a lookup that finds who has given it back",
      [[3, { kind: "found", pid: "pid 1", token: 10, fromMs: 9.5, toMs: 12 }]],
      /none of/,
    ],
    [
      "a lookup that finds somebody who never asked",
      [[3, { kind: "found", pid: "nobody", token: 12, fromMs: 11, toMs: 12 }]],
      /none of/,
    ],
    [
      "a refusal for somebody who has given it back",
      [
        [3, asks(3, 9.5)],
        [3, { kind: "taken", id: 3, by: "pid 1", atMs: 12 }],
      ],
      /none of/,
    ],
  ])("shows %s", (_what, more, expected) => {
    const found = violations([...GOOD, ...more]);
    expect(found).toEqual(expect.arrayContaining([expect.stringMatching(expected)]));
  });

  test("knows that what was killed or has failed may have had the name for a while", () => {
    const found: Note = { kind: "found", pid: "pid 3", token: 12, fromMs: 13, toMs: 14 };
    const before: readonly Told[] = [
      ...GOOD,
      [2, { kind: "releases", token: 11, atMs: 11 }],
      [2, { kind: "released", token: 11, atMs: 12 }],
    ];
    expect(violations([...before, [1, found]])).toHaveLength(1);
    expect(violations([...before, [3, asks(3, 12)], [1, found]])).toEqual([]);
    const failed: Note = { kind: "failed", id: 3, code: "TIMEOUT", atMs: 12.5 };
    expect(violations([...before, [3, asks(3, 12)], [3, failed], [1, found]])).toEqual([]);
    const taken: Note = { kind: "taken", id: 4, by: "pid 3", atMs: 16 };
    expect(violations([...before, [3, asks(3, 12)], [3, failed], [4, asks(4, 15)], [4, taken]])).toEqual([]);
  });

  test("knows that a grant may be seen by others long before the one hears of it to whom it was made", () => {
    const before: readonly Told[] = [
      ...GOOD,
      [2, { kind: "releases", token: 11, atMs: 11 }],
      [2, { kind: "released", token: 11, atMs: 12 }],
      [3, asks(3, 12)],
      [1, { kind: "found", pid: "pid 3", token: 12, fromMs: 13, toMs: 14 }],
      [4, asks(4, 15)],
      [4, { kind: "taken", id: 4, by: "pid 3", atMs: 16 }],
      [1, { kind: "found", pid: "pid 3", token: 12, fromMs: 17, toMs: 18 }],
    ];
    expect(violations([...before, [3, granted(3, 12, 19)]])).toEqual([]);
    // Nor if it was killed.
    expect(violations(before)).toEqual([]);
    expect(violations([...before, [1, { kind: "free", fromMs: 15, toMs: 16 }]])).toHaveLength(1);
  });

  test("counts who took over from a holder that did not give the name back", () => {
    const record = new WitnessRecord();
    const lost = GOOD.filter(([, { kind }]) => kind !== "releases" && kind !== "released");
    for (const [client, note] of lost) record.add("x", client, note);
    expect([...record.violations()]).toEqual([]);
    expect([record.acquisitions, record.takeovers]).toEqual([2, 1]);
  });
});
