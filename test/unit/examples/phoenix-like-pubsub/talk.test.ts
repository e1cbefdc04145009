import { expect, test } from "vitest";
import type { ChannelContext } from "../../../../examples/phoenix-like-pubsub/channels/index.ts";
import { EMOJI, talk, type Visitor } from "../../../../examples/phoenix-like-pubsub/talk.ts";

/** One visitor, and what the channel did for it. */
function visitor() {
  const done: unknown[] = [];
  const presence = {
    track: (key: string, meta: object) => done.push(["track", key, meta]),
    update: (key: string, change: (meta: object) => object) =>
      done.push(["update", key, change({ name: "Ann" })]),
  };
  const context = {
    ...{ assigns: { id: "visitor1" }, node: { name: "talk-1" }, process: {}, presence },
    broadcast: (event: string, payload: unknown) => done.push([event, payload]),
  } as unknown as ChannelContext<Visitor>;
  return {
    done,
    join: (payload: unknown) => talk.join(payload, context),
    send: (event: string, payload: unknown) => talk.handleIn?.(event, payload, context),
  };
}

test("a visitor is present under their id, and rating and renaming change what is said of them", () => {
  const { done, join, send } = visitor();
  expect(join({ name: " Ann ", rating: null })).toMatchObject({ status: "ok" });
  expect(send("rate", { rating: 7.5 })).toMatchObject({ status: "ok" });
  expect(send("rename", { name: "Anna" })).toMatchObject({ status: "ok" });
  expect(done).toEqual([
    ["track", "visitor1", { name: "Ann", rating: null, node: "talk-1" }],
    ["update", "visitor1", { name: "Ann", rating: 7.5 }],
    ["update", "visitor1", { name: "Anna" }],
  ]);
});

test.each([
  undefined,
  null,
  7,
  {},
  { name: "", rating: 1 },
  { name: "\ud800", rating: 1 },
  { name: "x".repeat(25), rating: 1 },
  { name: "Ann", rating: 11 },
])("nobody joins with %j", (payload) => {
  const { done, join } = visitor();
  expect(join(payload)).toMatchObject({ status: "error" });
  expect(done).toEqual([]);
});

test.each<[string, unknown]>([
  ["rate", { rating: -1 }],
  ["rate", { rating: "7" }],
  ["rate", { rating: Number.NaN }],
  ["rate", undefined],
  ["rename", { name: "   " }],
  ["rename", { name: 7 }],
  ["emoji", { emoji: "<script>" }],
  ["emoji", {}],
  ["constructor", {}],
])("%s with %j is refused, and does nothing", (event, payload) => {
  const { done, join, send } = visitor();
  join({ name: "Ann", rating: null });
  done.length = 0;
  expect(send(event, payload)).toMatchObject({ status: "error" });
  expect(done).toEqual([]);
});

test("emoji go to everybody, but not as many as one likes", () => {
  const { done, join, send } = visitor();
  join({ name: "Ann", rating: null });
  done.length = 0;
  expect(send("emoji", { emoji: EMOJI[0] })).toMatchObject({ status: "ok" });
  expect(done).toEqual([["emoji", { emoji: EMOJI[0], from: "visitor1" }]]);
  const answers = Array.from({ length: 200 }, () => send("emoji", { emoji: EMOJI[1] }));
  expect(answers.at(-1)).toMatchObject({ status: "error", response: { reason: "slow down" } });
  expect(done.length).toBeLessThan(60);
});
