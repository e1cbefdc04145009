import { beforeEach, describe, expect, test } from "vitest";
import { PresenceTexts } from "../../../../../examples/phoenix-like-pubsub/channels/presence-texts.ts";
import type { EncodedJson } from "../../../../../examples/phoenix-like-pubsub/channels/wire.ts";
import type { PresenceMeta, Presences } from "../../../../../src/index.ts";

describe("presences in JSON", () => {
  const unsayable: string[] = [];
  let texts: PresenceTexts;

  beforeEach(() => {
    unsayable.length = 0;
    texts = new PresenceTexts((key) => unsayable.push(key));
  });

  const meta = (ref: string, fields: object = {}): PresenceMeta => ({ ...fields, phx_ref: ref });
  const of = (...entries: readonly (readonly [string, ...PresenceMeta[]])[]): Presences =>
    Object.fromEntries(entries.map(([key, ...metas]) => [key, { metas }]));
  const read = (json: EncodedJson | undefined): unknown => JSON.parse(json?.text ?? "null");

  test("are all there, whatever their keys are called, and then as their changes make them", () => {
    const there = of(["ann", meta("1")], ["__proto__", meta("2", { as: '"' })]);
    texts.reset(there);
    expect(read(texts.whole)).toEqual(there);
    const joins = of(["ann", meta("3")]);
    const leaves = of(["ann", meta("1")], ["__proto__", meta("2")]);
    // What left is told as it was known.
    expect(read(texts.change(joins, leaves))).toEqual({
      joins,
      leaves: of(["ann", meta("1")], ["__proto__", meta("2", { as: '"' })]),
    });
    expect(read(texts.whole)).toEqual(of(["ann", meta("3")]));
    texts.change({}, of(["ann", meta("3")]));
    expect(read(texts.whole)).toEqual({});
  });

  test("keep the other metas of a key when one leaves", () => {
    texts.reset(of(["ann", meta("1"), meta("2")]));
    expect(read(texts.change({}, of(["ann", meta("1")])))).toEqual({
      joins: {},
      leaves: of(["ann", meta("1")]),
    });
    expect(read(texts.whole)).toEqual(of(["ann", meta("2")]));
  });

  test("are encoded once, however many are told, until they change", () => {
    let encoded = 0;
    const counting = {
      toJSON() {
        encoded += 1;
        return "counted";
      },
    };
    texts.reset(of(["ann", meta("1", { counting })]));
    expect(texts.whole).toBe(texts.whole);
    const before = texts.whole;
    texts.change(of(["bob", meta("2")]), {});
    expect(texts.whole).not.toBe(before);
    texts.change({}, of(["bob", meta("2")]));
    texts.reset(of(["ann", meta("1", { counting })]));
    expect(read(texts.whole)).toEqual(of(["ann", meta("1", { counting: "counted" })]));
    expect(encoded).toBe(1);
  });

  test("leave out a meta that JSON cannot say, and say so once", () => {
    const odd = meta("9", { n: 1n });
    texts.reset(of(["odd", odd], ["ann", meta("1"), meta("8", { n: 1n })]));
    expect(read(texts.whole)).toEqual(of(["ann", meta("1")]));
    expect(unsayable).toEqual(["odd", "ann"]);
    texts.reset(of(["odd", odd]));
    expect(read(texts.whole)).toEqual({});
    expect(unsayable).toEqual(["odd", "ann"]);
    expect(read(texts.change(of(["odd", meta("10")]), of(["odd", odd])))).toEqual({
      joins: of(["odd", meta("10")]),
      leaves: {},
    });
    expect(read(texts.whole)).toEqual(of(["odd", meta("10")]));
  });

  test("of which nothing can be said change nothing", () => {
    texts.reset(of(["ann", meta("1")]));
    const before = texts.whole;
    expect(texts.change(of(["odd", meta("2", { n: 1n })]), {})).toBeUndefined();
    expect(texts.change({}, of(["odd", meta("2", { n: 1n })]))).toBeUndefined();
    expect(texts.whole).toBe(before);
    expect(unsayable).toEqual(["odd"]);
  });
});
