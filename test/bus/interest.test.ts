import fc from "fast-check";
import { expect, test } from "vitest";
import { Interest } from "../../src/bus/interest.ts";

const token = fc.constantFrom("a", "b", "*", ">", "a*");
const pattern = fc.array(token, { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join("."));
const subject = fc
  .array(fc.constantFrom("a", "b", "a*", "*"), { minLength: 1, maxLength: 4 })
  .map((tokens) => tokens.join("."));

/** The rule of NATS, written down a second time, as slowly as it is said. */
function isMatch(pattern: string, subject: string): boolean {
  const [want, have] = [pattern.split("."), subject.split(".")];
  const isOpen = want.at(-1) === ">";
  if (isOpen) want.pop();
  if (isOpen ? have.length <= want.length : have.length !== want.length) return false;
  return want.every((token, index) => token === "*" || token === have[index]);
}

test("as many as there are have their say, and no more is remembered than may be", () => {
  const interest = new Interest<number>();
  const many = Array.from({ length: 600_000 }, (_, index) => index);
  for (const subscriber of many) interest.add("a.*", subscriber);
  const first = interest.match("a.1");
  expect(first).toHaveLength(many.length);
  expect(interest.match("a.1")).toBe(first);
  const small = interest.match("b");
  expect(interest.match("a.2")).toHaveLength(many.length);
  // Both lists of `a` would be too much together: what was there made room.
  expect(interest.match("b")).not.toBe(small);
  expect(interest.match("a.1")).not.toBe(first);
  for (const subscriber of many) interest.add("a.3", -1 - subscriber);
  const kept = interest.match("b");
  const tooLong = interest.match("a.3");
  expect(tooLong).toHaveLength(2 * many.length);
  expect(interest.match("a.3")).not.toBe(tooLong);
  expect(interest.match("b")).toBe(kept);
});

test("interest matches as the rule of NATS says, through any additions and removals", () => {
  const step = fc.record({ remove: fc.option(fc.nat()), pattern, subscriber: fc.nat(3), subject });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const interest = new Interest<number>();
      const model = new Set<string>();
      for (const { remove, pattern, subscriber, subject } of steps) {
        const old = remove === null ? undefined : [...model][remove % Math.max(1, model.size)];
        if (old === undefined) {
          interest.add(pattern, subscriber);
          model.add(`${subscriber} ${pattern}`);
        } else {
          const [who = "", wanted = ""] = old.split(" ");
          interest.remove(wanted, Number(who));
          model.delete(old);
        }
        const expected = [...model].flatMap((entry) => {
          const [who = "", wanted = ""] = entry.split(" ");
          return isMatch(wanted, subject) ? [Number(who)] : [];
        });
        // Twice: the second answer is the remembered one.
        expect([...interest.match(subject)].sort()).toEqual(expected.sort());
        expect([...interest.match(subject)].sort()).toEqual(expected.sort());
      }
    }),
    { numRuns: 500 },
  );
});
