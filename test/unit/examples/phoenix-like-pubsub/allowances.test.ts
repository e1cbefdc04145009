import { expect, test } from "vitest";
import { Allowances, KNOWN_VISITORS } from "../../../../examples/phoenix-like-pubsub/allowances.ts";

const ALLOWANCES = { speak: { burst: 2, refillMs: 100 }, sing: { burst: 1, refillMs: 100 } };

test("each visitor has each of the allowances, once", () => {
  const allowances = new Allowances(ALLOWANCES);
  const taken = (id: string, input: keyof typeof ALLOWANCES) => allowances.take(id, input, 0);
  expect([taken("ann", "speak"), taken("ann", "speak"), taken("ann", "speak")]).toEqual([true, true, false]);
  expect([taken("ann", "sing"), taken("ann", "sing")]).toEqual([true, false]);
  expect([taken("bob", "speak"), taken("bob", "sing")]).toEqual([true, true]);
  expect([allowances.take("ann", "speak", 100), allowances.take("ann", "speak", 100)]).toEqual([true, false]);
});

test("of too many visitors those who have done nothing for longest are forgotten", () => {
  const allowances = new Allowances(ALLOWANCES);
  allowances.take("ann", "sing", 0);
  allowances.take("bob", "sing", 0);
  for (let count = 2; count < KNOWN_VISITORS; count += 1) allowances.take(`v${count}`, "sing", 0);
  // What she tries in vain counts, too.
  expect(allowances.take("ann", "sing", 0)).toBe(false);
  allowances.take("one more", "sing", 0);
  expect(allowances.known).toBe(KNOWN_VISITORS);
  expect([allowances.take("ann", "sing", 0), allowances.take("bob", "sing", 0)]).toEqual([false, true]);
});
