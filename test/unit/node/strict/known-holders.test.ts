import { expect, test } from "vitest";
import type { NodeId, Pid } from "../../../../src/kernel/ids.ts";
import { keyOf } from "../../../../src/node/strict/key.ts";
import { type HolderChange, KnownHolders } from "../../../../src/node/strict/known-holders.ts";
import { HOLDERS_KEPT } from "../../../../src/node/strict/limits.ts";
import type { StrictHolder } from "../../../../src/node/strict/types.ts";

const X = keyOf("default", "x");

function holder(token: number): StrictHolder {
  return { pid: `p${token}` as Pid, node: "n" as NodeId, token: BigInt(token), meta: undefined };
}

function setUp() {
  const told: string[] = [];
  const known = new KnownHolders((scope: string, change: HolderChange) =>
    told.push(`${change.kind} ${scope} ${change.name} ${change.holder.token}`),
  );
  return { known, told };
}

test("a holder is told of once, and another one in its place as the end of the first", () => {
  const { known, told } = setUp();
  known.heard(X, holder(1), 10);
  known.heard(X, holder(1), 20);
  expect(known.get(X)).toEqual({ holder: holder(1), atMs: 20 });
  known.heard(X, holder(2), 30);
  expect(told).toEqual(["registered default x 1", "unregistered default x 1", "registered default x 2"]);
});

test("what is heard late of an earlier holder is no news", () => {
  const { known, told } = setUp();
  known.heard(X, holder(2), 10);
  known.heard(X, holder(1), 20);
  known.free(X, 1n);
  expect(known.get(X)).toEqual({ holder: holder(2), atMs: 10 });
  expect(told).toEqual(["registered default x 2"]);
  known.free(X, 2n);
  known.free(X);
  expect(told).toEqual(["registered default x 2", "unregistered default x 2"]);
});

test("those of one scope, or of one name in it, are found", () => {
  const { known } = setUp();
  known.heard(X, holder(1), 0);
  known.heard(keyOf("default", "y"), holder(2), 0);
  known.heard(keyOf("other", "x"), holder(3), 0);
  expect([...known.of("default", undefined)]).toEqual([
    ["x", holder(1)],
    ["y", holder(2)],
  ]);
  expect([...known.of("default", "x")]).toEqual([["x", holder(1)]]);
  expect([...known.of("other", undefined)]).toEqual([["x", holder(3)]]);
  expect([...known.of("other", "y")]).toEqual([]);
});

test("past their bound those that were heard of longest ago are forgotten, without a word", () => {
  const { known, told } = setUp();
  const key = (index: number): string => keyOf("default", `n${index}`);
  for (let index = 0; index < HOLDERS_KEPT; index += 1) known.heard(key(index), holder(1), index);
  known.heard(key(0), holder(1), HOLDERS_KEPT);
  expect(known.of("default", undefined).size).toBe(HOLDERS_KEPT);
  told.length = 0;
  known.heard(key(HOLDERS_KEPT), holder(1), HOLDERS_KEPT + 1);
  expect(known.of("default", undefined).size).toBe(HOLDERS_KEPT);
  expect(known.get(key(1))).toBeUndefined();
  for (const kept of [0, 2, HOLDERS_KEPT]) expect(known.get(key(kept))).toBeDefined();
  expect(told).toEqual([`registered default n${HOLDERS_KEPT} 1`]);
});

test("what is held here is known for as long as it is, however many others are heard of", () => {
  const { known, told } = setUp();
  const key = (index: number): string => keyOf("default", `n${index}`);
  known.heard(X, holder(1), 0, true);
  for (let index = 0; index <= 2 * HOLDERS_KEPT; index += 1) known.heard(key(index), holder(1), index, true);
  for (let index = 0; index <= HOLDERS_KEPT; index += 1)
    known.heard(keyOf("other", `${index}`), holder(1), 0);
  expect(known.get(X)).toEqual({ holder: holder(1), atMs: 0 });
  expect(known.of("default", undefined).size).toBe(2 * HOLDERS_KEPT + 2);
  expect(known.of("other", undefined).size).toBe(HOLDERS_KEPT);
  told.length = 0;
  known.free(X, 1n);
  expect(told).toEqual(["unregistered default x 1"]);
  // Lost, and somebody else's by now: one of many.
  known.heard(key(0), holder(2), 1);
  known.free(key(0), 1n);
  expect(known.get(key(0))).toEqual({ holder: holder(2), atMs: 1 });
  expect(known.of("other", undefined).size).toBe(HOLDERS_KEPT - 1);
});
