import fc from "fast-check";
import { expect, test } from "vitest";
import { Agenda } from "../../../src/lease/quorum/agenda.ts";

test("what is withdrawn long before it is due does not pile up", () => {
  const agenda = new Agenda();
  let ran = 0;
  for (let index = 0; index < 100; index += 1) agenda.at(2_000_000 + index, () => (ran += 1));
  for (let index = 0; index < 10_000; index += 1) {
    agenda.at(1_000_000 + index, () => (ran += 1_000))();
    expect(agenda.size).toBeLessThanOrEqual(202);
  }
  agenda.runDue(3_000_000);
  expect([ran, agenda.size]).toEqual([100, 0]);
});

test("the rest is done in order, however much is withdrawn in between, and whatever is withdrawn twice or too late", () => {
  const item = fc.record({ atMs: fc.nat(1_000), isWithdrawn: fc.boolean() });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 400 }), fc.nat(1_000), (items, untilMs) => {
      const agenda = new Agenda();
      const done: number[] = [];
      const withdraw = items.map(({ atMs }, index) => agenda.at(atMs, () => done.push(index)));
      const takeOut = (): void => {
        for (const [index, { isWithdrawn }] of items.entries()) if (isWithdrawn) withdraw[index]?.();
      };
      takeOut();
      agenda.runDue(untilMs);
      takeOut();
      for (const index of done) withdraw[index]?.();
      agenda.runDue(1_000);
      const expected = items
        .map((each, index) => ({ ...each, index }))
        .filter(({ isWithdrawn }) => !isWithdrawn)
        .sort((left, right) => left.atMs - right.atMs || left.index - right.index);
      expect(done).toEqual(expected.map(({ index }) => index));
      expect(agenda.size).toBe(0);
    }),
  );
});
