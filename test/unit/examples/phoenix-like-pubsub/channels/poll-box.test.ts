import { beforeEach, describe, expect, test } from "vitest";
import { PollBox, type PollInput } from "../../../../../examples/phoenix-like-pubsub/channels/poll-box.ts";

describe("a poll box", () => {
  let box: PollBox;
  let nowMs: number;

  beforeEach(() => {
    nowMs = 1_000;
    box = new PollBox({ pollMs: 100, outboundBytes: 10 }, nowMs);
  });

  const step = (input: PollInput) => box.step(input, nowMs);
  const answer = (poll: number, status: number, ...messages: string[]) => ({
    kind: "answer",
    poll,
    status,
    messages,
  });

  test("keeps messages until somebody polls", () => {
    expect(step({ kind: "message", text: "a" })).toEqual([]);
    expect(step({ kind: "message", text: "b" })).toEqual([]);
    expect(step({ kind: "poll", poll: 1 })).toEqual([answer(1, 200, "a", "b")]);
    expect(step({ kind: "flush" })).toEqual([]);
  });

  test("gives whoever waits all messages of one turn at once", () => {
    expect(step({ kind: "poll", poll: 1 })).toEqual([]);
    expect(step({ kind: "message", text: "a" })).toEqual([{ kind: "flushSoon" }]);
    expect(step({ kind: "message", text: "b" })).toEqual([]);
    expect(step({ kind: "flush" })).toEqual([answer(1, 200, "a", "b")]);
  });

  test("answers 204 when its time is up, and not before", () => {
    step({ kind: "poll", poll: 1 });
    expect(box.deadlineMs).toBe(1_100);
    nowMs = 1_099;
    expect(step({ kind: "tick" })).toEqual([]);
    nowMs = 1_100;
    expect(step({ kind: "tick" })).toEqual([answer(1, 204)]);
  });

  test("ends when nobody polls for one and a half polls, and answers 410 from then on", () => {
    expect(box.deadlineMs).toBe(1_150);
    nowMs = 1_150;
    expect(step({ kind: "tick" })).toEqual([{ kind: "ended", cause: "silent" }]);
    expect(step({ kind: "poll", poll: 1 })).toEqual([answer(1, 410)]);
    expect(step({ kind: "message", text: "a" })).toEqual([]);
    expect(step({ kind: "tick" })).toEqual([]);
  });

  test("takes other requests for a sign of life; they prolong no poll", () => {
    nowMs = 1_100;
    step({ kind: "request" });
    expect(box.deadlineMs).toBe(1_250);
    step({ kind: "poll", poll: 1 });
    nowMs = 1_150;
    step({ kind: "request" });
    expect(box.deadlineMs).toBe(1_200);
  });

  test("keeps what nobody was there to be told", () => {
    step({ kind: "poll", poll: 1 });
    step({ kind: "message", text: "a" });
    nowMs = 1_050;
    expect(step({ kind: "pollGone", poll: 1 })).toEqual([]);
    expect(box.deadlineMs).toBe(1_200);
    expect(step({ kind: "flush" })).toEqual([]);
    expect(step({ kind: "poll", poll: 2 })).toEqual([answer(2, 200, "a")]);
  });

  test("answers an earlier poll when the next one comes, and minds no more whether it is there", () => {
    step({ kind: "poll", poll: 1 });
    expect(step({ kind: "poll", poll: 2 })).toEqual([answer(1, 204)]);
    step({ kind: "pollGone", poll: 1 });
    step({ kind: "message", text: "a" });
    expect(step({ kind: "flush" })).toEqual([answer(2, 200, "a")]);
  });

  test("ends when more waits than may; what was told counts no more", () => {
    step({ kind: "message", text: "1234567890" });
    step({ kind: "poll", poll: 1 });
    expect(step({ kind: "message", text: "ääääää" })).toEqual([{ kind: "ended", cause: "slow" }]);
  });

  test("that is ended tells who waits", () => {
    step({ kind: "poll", poll: 1 });
    expect(step({ kind: "end" })).toEqual([answer(1, 410), { kind: "ended", cause: "ended" }]);
    expect(step({ kind: "end" })).toEqual([]);
  });
});
