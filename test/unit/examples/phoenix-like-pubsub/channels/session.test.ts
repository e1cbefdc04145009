import { beforeEach, describe, expect, test } from "vitest";
import type { ClientMessage } from "../../../../../examples/phoenix-like-pubsub/channels/messages.ts";
import { Session, type SessionEffect } from "../../../../../examples/phoenix-like-pubsub/channels/session.ts";

function message(
  event: string,
  { joinRef = "1", ref = "1", topic = "room", payload = {} }: Partial<ClientMessage> = {},
): ClientMessage {
  return { joinRef, ref, topic, event, payload };
}

describe("a session", () => {
  let session: Session;

  beforeEach(() => {
    session = new Session({ channels: 2, isRoutable: (topic) => topic !== "nowhere" });
  });

  const receive = (event: string, fields: Partial<ClientMessage> = {}): readonly SessionEffect[] =>
    session.step({ kind: "received", message: message(event, fields) });
  const join = (joinRef: string, topic = "room") => receive("phx_join", { joinRef, ref: joinRef, topic });
  const admit = (channel: number) => session.step({ kind: "admitted", channel, response: {} });
  const end = (channel: number, crashed = false) => session.step({ kind: "ended", channel, crashed });

  const start = (channel: number, joinRef: string | null, topic = "room") => ({
    kind: "start",
    channel,
    topic,
    joinRef,
    ref: joinRef ?? "1",
    payload: {},
  });
  const reply = (
    joinRef: string | null,
    ref: string | null,
    status: string,
    response: object,
    topic = "room",
  ) => ({
    kind: "send",
    message: { kind: "reply", joinRef, ref, topic, status, response },
  });
  const closed = (joinRef: string | null, topic = "room") => ({
    kind: "send",
    message: { kind: "closed", joinRef, topic },
  });

  test("answers heartbeats, by their reference alone", () => {
    expect(receive("heartbeat", { joinRef: "9", ref: "7", topic: "phoenix" })).toEqual([
      reply(null, "7", "ok", {}, "phoenix"),
    ]);
  });

  test("starts a channel, and answers when it has let the client in", () => {
    expect(join("1")).toEqual([start(1, "1")]);
    expect(admit(1)).toEqual([reply("1", "1", "ok", {})]);
    expect(admit(1)).toEqual([]);
  });

  test("tells what was pushed during a join after the answer to it, and never if it is refused", () => {
    join("1");
    expect(session.step({ kind: "pushed", channel: 1, event: "e", payload: 1 })).toEqual([]);
    expect(admit(1)).toEqual([
      reply("1", "1", "ok", {}),
      { kind: "send", message: { kind: "push", joinRef: "1", topic: "room", event: "e", payload: 1 } },
    ]);
    join("2", "other");
    session.step({ kind: "pushed", channel: 2, event: "e", payload: 1 });
    expect(session.step({ kind: "refused", channel: 2, response: { reason: "no" } })).toEqual([
      reply("2", "2", "error", { reason: "no" }, "other"),
    ]);
    expect(end(2)).toEqual([]);
    expect(session.channels).toBe(1);
  });

  test("hands on events in their order, also while the join is under way", () => {
    join("1");
    expect(receive("e", { ref: "2", payload: 5 })).toEqual([
      { kind: "handle", channel: 1, event: "e", payload: 5, ref: "2" },
    ]);
    expect(session.step({ kind: "answered", channel: 1, ref: "2", status: "ok", response: 6 })).toEqual([
      {
        kind: "send",
        message: { kind: "reply", joinRef: "1", ref: "2", topic: "room", status: "ok", response: 6 },
      },
    ]);
  });

  test("answers a leave when the channel has done what it was given before", () => {
    join("1");
    admit(1);
    expect(receive("phx_leave", { ref: "3" })).toEqual([{ kind: "stop", channel: 1, reason: "left" }]);
    expect(receive("e", { ref: "4" })).toEqual([reply("1", "4", "error", { reason: "unmatched topic" })]);
    expect(receive("phx_leave", { ref: "5" })).toEqual([reply("1", "5", "ok", {})]);
    expect(session.step({ kind: "answered", channel: 1, ref: "2", status: "ok", response: {} })).toEqual([
      reply("1", "2", "ok", {}),
    ]);
    expect(end(1)).toEqual([reply("1", "3", "ok", {}), closed("1")]);
    expect(session.channels).toBe(0);
  });

  test("starts the next channel of a topic when the one before has ended, and only the latest", () => {
    join("1");
    admit(1);
    expect(join("2")).toEqual([closed("1"), { kind: "stop", channel: 1, reason: "rejoined" }]);
    expect(receive("e", { joinRef: "1", ref: "9" })).toEqual([]);
    expect(receive("e", { joinRef: "2", ref: "9" })).toEqual([
      reply("2", "9", "error", { reason: "unmatched topic" }),
    ]);
    // Whoever waits for an answer to the one between is told that there is none.
    expect(join("3")).toEqual([closed("2")]);
    expect(end(1)).toEqual([start(2, "3")]);
    expect(admit(2)).toEqual([reply("3", "3", "ok", {})]);
  });

  test("starts the next channel also when the one before was left, joining, or crashed meanwhile", () => {
    join("1");
    receive("phx_leave", { ref: "2" });
    expect(join("3")).toEqual([]);
    expect(admit(1)).toEqual([]);
    expect(end(1)).toEqual([reply("1", "2", "ok", {}), closed("1"), start(2, "3")]);
    expect(join("4")).toEqual([closed("3"), { kind: "stop", channel: 2, reason: "rejoined" }]);
    expect(end(2, true)).toEqual([start(3, "4")]);
  });

  test("forgets a join that waits, when it is left", () => {
    join("1");
    admit(1);
    join("2");
    expect(receive("phx_leave", { joinRef: "2", ref: "3" })).toEqual([
      reply("2", "3", "ok", {}),
      closed("2"),
    ]);
    expect(end(1)).toEqual([]);
    expect(session.channels).toBe(0);
  });

  test("drops a leave of an earlier join", () => {
    join("2");
    admit(1);
    expect(receive("phx_leave", { joinRef: "1", ref: "3" })).toEqual([]);
    expect(session.channels).toBe(1);
  });

  test("tells of a crash, and of an end; both only once", () => {
    join("1");
    admit(1);
    expect(end(1, true)).toEqual([
      { kind: "send", message: { kind: "crashed", joinRef: "1", topic: "room" } },
    ]);
    expect(end(1, true)).toEqual([]);
    join("2");
    admit(2);
    expect(end(2)).toEqual([closed("2")]);
    expect(session.step({ kind: "pushed", channel: 2, event: "late", payload: {} })).toEqual([]);
    expect(session.step({ kind: "answered", channel: 2, ref: "1", status: "ok", response: {} })).toEqual([]);
  });

  test("counts all channels that it has, those that are ending too", () => {
    join("1", "a");
    join("2", "b");
    const tooMany = [reply("3", "3", "error", { reason: "too many channels joined" }, "c")];
    expect(join("3", "c")).toEqual(tooMany);
    receive("phx_leave", { joinRef: "1", ref: "4", topic: "a" });
    expect(join("3", "c")).toEqual(tooMany);
    end(1);
    expect(join("3", "c")).toEqual([start(3, "3", "c")]);
  });

  test("answers for topics that have no channel", () => {
    const unmatched = { reason: "unmatched topic" };
    expect(receive("phx_join", { topic: "nowhere", joinRef: null })).toEqual([
      reply(null, "1", "error", unmatched, "nowhere"),
    ]);
    expect(receive("e", { topic: "room" })).toEqual([reply("1", "1", "error", unmatched)]);
    expect(receive("phx_leave", { topic: "nowhere" })).toEqual([reply("1", "1", "ok", {}, "nowhere")]);
  });

  test("that is closed stops its channels, starts none, and says nothing more", () => {
    join("1");
    join("2", "other");
    receive("phx_join", { joinRef: "3", topic: "other" });
    expect(session.step({ kind: "closed" })).toEqual([{ kind: "stop", channel: 1, reason: "closed" }]);
    expect(join("4", "third")).toEqual([]);
    expect(session.step({ kind: "pushed", channel: 1, event: "e", payload: 1 })).toEqual([]);
    expect([...end(1, true), ...end(2)]).toEqual([]);
    expect(session.channels).toBe(0);
  });
});
