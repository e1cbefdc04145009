import { expect, test } from "vitest";
import type { ChannelContext } from "../../../../examples/phoenix-like-pubsub/channels/index.ts";
import {
  ALLOWANCES,
  EMOJI,
  talkChannel,
  type Visitor,
} from "../../../../examples/phoenix-like-pubsub/talk.ts";

/** One visitor, and what the channel did for it. */
function visitor(known: readonly object[] = [], id = "visitor1") {
  const done: unknown[] = [];
  let metas = known;
  let nowMs = 1_000;
  const presence = {
    getByKey: (key: string) => (key === id ? metas : []),
    track: (key: string, meta: object) => {
      done.push(["track", key, meta]);
      metas = [...metas, meta];
    },
    update: (key: string, change: (meta: object) => object) => {
      const meta = change({ name: "Ann" });
      done.push(["update", key, meta]);
      metas = [...known, meta];
    },
  };
  /** In a channel of their own, which each join begins. */
  const contextOf = (which: string) =>
    ({
      ...{ assigns: { id: which }, node: { name: "talk-1" }, process: {}, presence },
      broadcast: (event: string, payload: unknown) => done.push([event, payload]),
    }) as unknown as ChannelContext<Visitor>;
  let context = contextOf(id);
  const talk = talkChannel(() => nowMs);
  return {
    done,
    pass: (ms: number) => {
      nowMs += ms;
    },
    join: (payload: unknown, as = id) => {
      context = contextOf(as);
      return talk.join(payload, context);
    },
    send: (event: string, payload: unknown) => talk.handleIn?.(event, payload, context),
  };
}

test("a visitor is present under their id, and rating and renaming change what is said of them", () => {
  const { done, join, send } = visitor();
  expect(join({ name: " Ann ", rating: null })).toMatchObject({
    status: "ok",
    response: { node: "talk-1", name: "Ann" },
  });
  expect(send("rate", { rating: 7.5 })).toMatchObject({ status: "ok" });
  expect(send("rename", { name: "Anna\u200b" })).toMatchObject({ status: "ok", response: { name: "Anna" } });
  expect(done).toEqual([
    ["track", "visitor1", { name: "Ann", rating: null, node: "talk-1", revision: 1 }],
    ["update", "visitor1", { name: "Ann", rating: 7.5, revision: 2 }],
    ["update", "visitor1", { name: "Anna", revision: 3 }],
  ]);
});

test("whatever a visitor says comes after all that is known of them, in another tab or at the node they left", () => {
  const { done, join, send } = visitor([{ revision: 41 }, { revision: 7 }, { revision: "none" }, {}]);
  join({ name: "Ann", rating: null });
  send("rate", { rating: 1 });
  expect(done).toMatchObject([
    ["track", "visitor1", { revision: 42 }],
    ["update", "visitor1", { revision: 43 }],
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

test("who is not let in for their name is told that it is that", () => {
  const { join } = visitor();
  expect(join({ name: "\u200b", rating: null })).toMatchObject({
    status: "error",
    response: { reason: "something that can be seen", field: "name" },
  });
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

test("emoji go to everybody", () => {
  const { done, join, send } = visitor();
  join({ name: "Ann", rating: null });
  expect(send("emoji", { emoji: EMOJI[0] })).toMatchObject({ status: "ok" });
  expect(done.at(-1)).toEqual(["emoji", { emoji: EMOJI[0], from: "visitor1" }]);
});

test.each([
  ["rate", { rating: 3 }],
  ["rename", { name: "Anna" }],
  ["emoji", { emoji: EMOJI[1] }],
] as const)(
  "%s is done as often as it is allowed, and no more often, and never instead of the others",
  (event, payload) => {
    const { burst, refillMs } = ALLOWANCES[event];
    const { done, join, pass, send } = visitor();
    join({ name: "Ann", rating: null });
    done.length = 0;
    const times = (count: number) => Array.from({ length: count }, () => send(event, payload));
    expect(times(burst).every((answer) => answer !== undefined && done.length === burst)).toBe(true);
    expect(times(3)[2]).toMatchObject({ status: "error", response: { reason: "slow down" } });
    expect(done).toHaveLength(burst);
    pass(2 * refillMs);
    times(5);
    expect(done).toHaveLength(burst + 2);
    // What is refused for what it is costs nothing.
    pass(refillMs);
    send(event, {});
    times(1);
    expect(done).toHaveLength(burst + 3);
    for (const [other, what] of [
      ["rate", { rating: 1 }],
      ["rename", { name: "A" }],
      ["emoji", { emoji: EMOJI[0] }],
    ] as const)
      if (other !== event) expect(send(other, what)).toMatchObject({ status: "ok" });
  },
);

test("who leaves and joins again has no more for it", () => {
  const { done, join, pass, send } = visitor();
  const isSent = () => (send("emoji", { emoji: EMOJI[0] }) as { readonly status: string }).status === "ok";
  let sent = 0;
  for (let times = 0; times < ALLOWANCES.join.burst; times += 1) {
    join({ name: "Ann", rating: null });
    while (isSent()) sent += 1;
  }
  expect(sent).toBe(ALLOWANCES.emoji.burst);
  pass(ALLOWANCES.emoji.refillMs);
  join({ name: "Ann", rating: null });
  expect([isSent(), isSent()]).toEqual([true, false]);
  expect(done.length).toBeGreaterThan(sent);
});

test("visitors join as often as they are allowed, and nobody else is told of what is over it", () => {
  const { burst, refillMs } = ALLOWANCES.join;
  const { done, join, pass } = visitor();
  const ann = { name: "Ann", rating: null };
  for (let times = 0; times < burst; times += 1) expect(join(ann)).toMatchObject({ status: "ok" });
  done.length = 0;
  expect(join(ann)).toMatchObject({ status: "error", response: { reason: "slow down" } });
  expect(done).toEqual([]);
  // Each visitor has an allowance of their own.
  expect(join({ name: "Bob", rating: null }, "visitor2")).toMatchObject({ status: "ok" });
  pass(refillMs);
  expect(join(ann)).toMatchObject({ status: "ok" });
  expect(join(ann)).toMatchObject({ status: "error" });
});
