import { expect, test } from "vitest";
import { Bucket } from "../../../../examples/phoenix-like-pubsub/bucket.ts";

const START_MS = 5_000;

/** How many it gives at one moment. */
function taken(bucket: Bucket, nowMs: number): number {
  let count = 0;
  while (count < 100 && bucket.take(nowMs)) count += 1;
  return count;
}

test("a bucket gives its burst, and then one for each time that has passed, but never more than the burst", () => {
  const bucket = new Bucket({ burst: 3, refillMs: 100 }, START_MS);
  expect(taken(bucket, START_MS)).toBe(3);
  expect(taken(bucket, START_MS + 99)).toBe(0);
  expect(taken(bucket, START_MS + 100)).toBe(1);
  expect(taken(bucket, START_MS + 350)).toBe(2);
  // The half that was left over counts.
  expect(taken(bucket, START_MS + 400)).toBe(1);
  expect(taken(bucket, START_MS + 1_000_000)).toBe(3);
  expect(taken(bucket, START_MS + 1_000_000)).toBe(0);
});
