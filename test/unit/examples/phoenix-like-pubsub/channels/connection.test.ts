import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Answer, ok, refuse } from "../../../../../examples/phoenix-like-pubsub/channels/answer.ts";
import type { Channel, ChannelContext } from "../../../../../examples/phoenix-like-pubsub/channels/types.ts";
import { UnsendableError } from "../../../../../examples/phoenix-like-pubsub/channels/wire.ts";
import type { ClusterNode, Process } from "../../../../../src/index.ts";
import { connect, servicesOf } from "../../../../support/channels-connection.ts";
import { loggerTo } from "../../../../support/channels-stage.ts";
import { lobbyChannel } from "../../../../support/rooms.ts";
import { Shells } from "../../../../support/shells.ts";

describe("the channels of a client", () => {
  let shells: Shells;
  let a: ClusterNode;
  let b: ClusterNode;

  beforeEach(async () => {
    shells = new Shells("channels");
    [a, b] = await shells.startAll("a", "b");
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const joinedReply = (ref: string, topic = "room") => [
    ref,
    ref,
    topic,
    "phx_reply",
    { status: "ok", response: {} },
  ];

  test("are let in when all nodes know that there are listeners here: nothing that is sent then is missed", async () => {
    const here = servicesOf(a, { room: { join: () => ok() } });
    const there = servicesOf(b, {});
    const { send, transport } = connect(here);
    send("1", "1", "room", "phx_join", {});
    expect(transport.sent).toEqual([]);
    await shells.eventually(() => transport.sent.length > 0);
    there.topics.broadcast("room", { event: "said", payload: { at: "once" } });
    await shells.run(100);
    expect(transport.take()).toEqual([joinedReply("1"), [null, null, "room", "said", { at: "once" }]]);
  });

  test("of one topic and node share a subscription, which ends with the last; a frame is the same for all", async () => {
    const here = servicesOf(a, { room: { join: () => ok() } });
    const clients = [connect(here), connect(here), connect(here)];
    for (const { send } of clients) send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    expect(a.stats().subscriptions).toBe(1);
    servicesOf(b, {}).topics.broadcast("room", { event: "said", payload: Uint8Array.of(1) });
    await shells.run(100);
    const frames = clients.map(({ transport }) => transport.sent.at(-1));
    expect(frames[0]).toBeInstanceOf(Uint8Array);
    for (const frame of frames) expect(frame).toBe(frames[0]);
    expect(here.topics.size).toBe(1);
    clients[0]?.connection.closed();
    clients[1]?.connection.closed();
    expect(here.topics.size).toBe(1);
    clients[2]?.send("1", "2", "room", "phx_leave", {});
    expect(here.topics.size).toBe(0);
    expect(a.stats().subscriptions).toBe(0);
    expect(here.counts.channels).toBe(0);
  });

  test("do one thing at a time, in the order in which it came, messages of others included", async () => {
    const log: unknown[] = [];
    const going: (() => void)[] = [];
    let process: Process | undefined;
    const channel: Channel = {
      join(_payload, context) {
        process = context.process;
        return ok();
      },
      async handleIn(event) {
        log.push(event);
        await new Promise<void>((resolve) => going.push(resolve));
        log.push(`${event} done`);
        return undefined;
      },
      handleInfo(message) {
        log.push(message);
      },
    };
    const { send } = connect(servicesOf(a, { room: channel }));
    send("1", "1", "room", "phx_join", {});
    send("1", "2", "room", "first", {});
    await shells.run(100);
    if (process !== undefined) a.send(process, "info");
    await shells.run(10);
    send("1", "3", "room", "second", {});
    going.shift()?.();
    await shells.run(10);
    going.shift()?.();
    await shells.run(10);
    expect(log).toEqual(["first", "first done", "info", "second", "second done"]);
  });

  test("finish what they were given before a leave, with their process alive, and then end", async () => {
    const log: unknown[] = [];
    const note = (what: string, { process }: ChannelContext): void =>
      void log.push([what, a.names.namesOf(process.pid)]);
    const going: (() => void)[] = [];
    const channel: Channel = {
      async join(_payload, { process }) {
        await a.names.register("held", process);
        return ok();
      },
      async handleIn(event, _payload, context) {
        await new Promise<void>((resolve) => going.push(resolve));
        note(event, context);
        return ok(event);
      },
      terminate: ({ kind }, context) => note(kind, context),
    };
    const { send, transport } = connect(servicesOf(a, { room: channel }));
    send("1", "1", "room", "phx_join", {});
    await shells.run(200);
    send("1", "2", "room", "last", {});
    send("1", "3", "room", "phx_leave", {});
    expect(transport.take()).toEqual([joinedReply("1")]);
    going.shift()?.();
    await shells.run(10);
    expect(log).toEqual([
      ["last", ["held"]],
      ["left", ["held"]],
    ]);
    expect(a.names.whereis("held")).toBeUndefined();
    expect(transport.take()).toEqual([
      ["1", "2", "room", "phx_reply", { status: "ok", response: "last" }],
      ["1", "3", "room", "phx_reply", { status: "ok", response: {} }],
      ["1", "1", "room", "phx_close", {}],
    ]);
  });

  test("that do not finish are ended all the same, in time; the next join waits that long", async () => {
    const signals: AbortSignal[] = [];
    const channel: Channel = {
      join: (_payload, { signal }) => {
        signals.push(signal);
        return ok();
      },
      handleIn: () => new Promise(() => {}),
    };
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { send, transport } = connect(servicesOf(a, { room: channel }));
    send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    send("1", "2", "room", "hang", {});
    send("3", "3", "room", "phx_join", {});
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    vi.advanceTimersByTime(99);
    await shells.run(100);
    expect(transport.take()).toEqual([joinedReply("1"), ["1", "1", "room", "phx_close", {}]]);
    vi.advanceTimersByTime(1);
    await shells.run(100);
    expect(transport.take()).toEqual([joinedReply("3")]);
  });

  test("that are to end hear no more broadcasts", async () => {
    const services = servicesOf(a, { room: { join: () => ok(), terminate: () => new Promise(() => {}) } });
    const { send, transport } = connect(services);
    send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    transport.take();
    send("1", "2", "room", "phx_leave", {});
    services.topics.broadcast("room", { event: "said", payload: {} });
    expect(transport.take()).toEqual([]);
  });

  test("that crash drop what waits for them, and make room for others", async () => {
    const handled: string[] = [];
    const channel: Channel = {
      join: () => ok(),
      handleIn(event) {
        handled.push(event);
        return Promise.reject(new Error("later"));
      },
    };
    const services = servicesOf(a, { room: channel }, { inboundMessages: 3 });
    const { send, transport } = connect(services);
    send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    for (const event of ["first", "second", "third"]) send("1", event, "room", event, {});
    expect(transport.isPaused).toBe(true);
    await shells.run(1);
    expect(handled).toEqual(["first"]);
    expect(transport.isPaused).toBe(false);
  });

  test("wait for whatever has a then, as await does", async () => {
    const later = {
      // biome-ignore lint/suspicious/noThenProperty: the point of it
      then: (resolve: (answer: Answer) => void) => void shells.clock.after(5, () => resolve(ok("later"))),
    };
    const channel: Channel = { join: () => ok(), handleIn: () => later as unknown as PromiseLike<Answer> };
    const { send, transport } = connect(servicesOf(a, { room: channel }));
    send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    transport.take();
    send("1", "2", "room", "e", {});
    await shells.run(100);
    expect(transport.take()).toEqual([["1", "2", "room", "phx_reply", { status: "ok", response: "later" }]]);
  });

  test("crash when they cannot be told: no answer is what they gave, terminate still runs", async () => {
    const ends: unknown[] = [];
    const channel: Channel = {
      join: () => ok(),
      handleIn: () => "no answer" as unknown as undefined,
      terminate: (end) => {
        ends.push(end);
        throw new Error("and again");
      },
    };
    const services = servicesOf(a, { room: channel });
    const { send, transport } = connect(services);
    send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    send("1", "2", "room", "e", {});
    expect(transport.take()).toEqual([
      joinedReply("1"),
      ["1", "1", "room", "phx_error", { reason: "crashed" }],
    ]);
    expect(ends).toEqual([
      {
        kind: "error",
        error: expect.objectContaining({ message: expect.stringMatching(/^handleIn gives/) }),
      },
    ]);
    expect(services.counts.crashes).toBe(1);
  });

  test.each([
    ["JSON cannot say", { n: 1n }],
    ["is too long for any client", { text: "x".repeat(8 * 1024) }],
  ])("crash when they refuse a client with what %s: it is answered all the same", async (_what, response) => {
    const services = servicesOf(a, { room: { join: () => refuse(response) } }, { outboundBytes: 8 * 1024 });
    const { send, transport } = connect(services);
    send("1", "1", "room", "phx_join", {});
    const crashed = { status: "error", response: { reason: "join crashed" } };
    expect(transport.take()).toEqual([["1", "1", "room", "phx_reply", crashed]]);
    expect(services.counts.channels).toBe(0);
  });

  test("are told their references when they refuse with as much as fits without them: they crash instead", async () => {
    const limit = 8 * 1024;
    const [joinRef, ref] = ["join-reference", "reference"];
    const frame = (pad: string) =>
      JSON.stringify([joinRef, ref, "room", "phx_reply", { status: "error", response: { pad } }]);
    for (const over of [0, 1]) {
      const pad = "x".repeat(limit - frame("").length + over);
      const services = servicesOf(a, { room: { join: () => refuse({ pad }) } }, { outboundBytes: limit });
      const { send, transport } = connect(services);
      send(joinRef, ref, "room", "phx_join", {});
      const response = over === 0 ? { pad } : { reason: "join crashed" };
      expect(transport.take()).toEqual([[joinRef, ref, "room", "phx_reply", { status: "error", response }]]);
      expect(services.counts).toMatchObject({ channels: 0, crashes: over });
    }
  });

  test("are not there for a topic that is too long to be told back: nobody crashes", async () => {
    const { send, transport } = connect(servicesOf(a, {}, { outboundBytes: 8 * 1024 }));
    const topic = "x".repeat(8 * 1024);
    send("1", "1", topic, "phx_join", {});
    const unmatched = { status: "error", response: { reason: "unmatched topic" } };
    expect(transport.take()).toEqual([["1", "1", topic, "phx_reply", unmatched]]);
  });

  test("that broadcast what is too long for any client crash, and nobody else hears of it", async () => {
    const complaints: string[] = [];
    const limits = { outboundBytes: 8 * 1024 };
    const shout: Channel = {
      join: () => ok(),
      handleIn(_event, payload, { broadcast }) {
        broadcast("said", payload);
        return ok();
      },
    };
    const here = servicesOf(a, { room: shout }, limits, loggerTo(complaints));
    const elsewhere = servicesOf(b, { room: shout }, limits);
    const [ann, bob, eve] = [connect(here), connect(here), connect(elsewhere)];
    for (const { send } of [ann, bob, eve]) send("1", "1", "room", "phx_join", {});
    await shells.run(200);
    for (const { transport } of [ann, bob, eve]) transport.take();
    ann.send("1", "2", "room", "e", { text: "x".repeat(8 * 1024) });
    await shells.run(100);
    expect(ann.transport.take()).toEqual([["1", "1", "room", "phx_error", { reason: "crashed" }]]);
    expect(complaints).toEqual([
      expect.stringMatching(
        /^a channel crashed: a frame has at most limits\.outboundBytes, 8192 bytes; said has 82\d\d$/,
      ),
    ]);
    for (const { transport } of [bob, eve]) expect(transport.take()).toEqual([]);
  });

  test("hear the same of a broadcast on all nodes", async () => {
    const payload = {
      at: new Date(0),
      error: Object.assign(new Error("x"), { code: "E" }),
      gone: undefined,
      odd: [undefined, Number.NaN],
      deep: { null: null },
    };
    const services = [a, b].map((node) => servicesOf(node, { room: { join: () => ok() } }));
    const clients = services.map((each) => connect(each));
    for (const { send } of clients) send("1", "1", "room", "phx_join", {});
    await shells.run(200);
    for (const { transport } of clients) transport.take();
    services[0]?.topics.broadcast("room", { event: "said", payload });
    await shells.run(100);
    const [here, there] = clients.map(({ transport }) => transport.sent.splice(0));
    expect(here).toEqual([JSON.stringify([null, null, "room", "said", payload])]);
    expect(there).toEqual(here);
  });

  class Told extends Error {
    toJSON(): string {
      return "told";
    }
  }
  const self: Record<string, unknown> = {};
  self["self"] = self;
  test.each([
    ["a Buffer", { list: [{ key: Buffer.from("ab") }] }, /bytes .*payload\.list\[0\]\.key/],
    ["a view", { "a b": new Uint16Array(1) }, /bytes .*payload\["a b"\]/],
    ["an ArrayBuffer", [new ArrayBuffer(1)], /bytes .*payload\[0\]/],
    ["what says itself how it becomes JSON", { error: new Told() }, /toJSON .*payload\.error/],
    ["a cycle", self, /JSON/],
  ])("cannot broadcast what would not be the same on all nodes: %s", (_what, payload, message) => {
    const { topics } = servicesOf(a, {});
    const broadcast = () => topics.broadcast("room", { event: "said", payload });
    expect(broadcast).toThrow(UnsendableError);
    expect(broadcast).toThrow(message);
  });

  test("hear nothing of what another node may broadcast, but is too long here: it is logged", async () => {
    const complaints: string[] = [];
    const here = servicesOf(
      a,
      { room: { join: () => ok() } },
      { outboundBytes: 8 * 1024 },
      loggerTo(complaints),
    );
    const { send, transport } = connect(here);
    send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    transport.take();
    servicesOf(b, {}).topics.broadcast("room", { event: "said", payload: { text: "x".repeat(8 * 1024) } });
    await shells.run(100);
    expect(transport.take()).toEqual([]);
    expect(complaints).toEqual([
      expect.stringMatching(/^what was broadcast has no frame, and was dropped: a frame has at most/),
    ]);
  });

  test("are sent elsewhere when their node stops, and are not told that they are closed", async () => {
    const { send, transport } = connect(servicesOf(a, { room: { join: () => ok() } }));
    send("1", "1", "room", "phx_join", {});
    await shells.run(100);
    await shells.until(a.stop());
    expect(transport.closes).toEqual(["restart"]);
  });

  test("see who is there: a state that all diffs after it fit", async () => {
    const here = servicesOf(a, { lobby: lobbyChannel });
    const there = servicesOf(b, { lobby: lobbyChannel });
    const ann = connect(here);
    ann.send("1", "1", "lobby", "phx_join", { key: "ann", as: 1 });
    await shells.run(100);
    const watches = a.stats().watches;
    const eve = connect(here);
    const bob = connect(there);
    bob.send("1", "1", "lobby", "phx_join", { key: "__proto__", as: 2 });
    eve.send("1", "1", "lobby", "phx_join", { key: "eve", as: 3 });
    await shells.run(200);
    // One watch for all clients of a topic.
    expect(a.stats().watches).toBe(watches);
    expect([ann, eve, bob].map(({ transport }) => Object.keys(replay(transport.take())).sort())).toEqual(
      Array.from({ length: 3 }, () => ["__proto__", "ann", "eve"]),
    );
    bob.connection.closed();
    ann.send("1", "2", "lobby", "become", { as: 4 });
    await shells.run(200);
    const [reply, ...diffs] = ann.transport.take() as readonly (readonly unknown[])[];
    expect(reply).toEqual(["1", "2", "lobby", "phx_reply", { status: "ok", response: {} }]);
    expect(diffs.map((frame) => frame[3])).toEqual(["presence_diff", "presence_diff"]);
    ann.connection.closed();
    eve.connection.closed();
    await shells.run(100);
    expect(a.stats().watches).toBe(watches - 1);
  });
});

/** As the client does it: by key, the references of who is there. */
function replay(frames: readonly unknown[]): Record<string, string[]> {
  const there = new Map<string, string[]>();
  type Presences = Record<string, { metas: { phx_ref: string }[] }>;
  let hasState = false;
  for (const [, , , event, payload] of frames as readonly [null, null, string, string, unknown][]) {
    if (event === "presence_state") {
      hasState = true;
      for (const [key, { metas }] of Object.entries(payload as Presences))
        there.set(
          key,
          metas.map(({ phx_ref }) => phx_ref),
        );
    } else if (event === "presence_diff") {
      expect(hasState).toBe(true);
      const { joins, leaves } = payload as { joins: Presences; leaves: Presences };
      for (const [key, { metas }] of Object.entries(joins))
        for (const { phx_ref } of metas) {
          expect(there.get(key) ?? []).not.toContain(phx_ref);
          there.set(key, [...(there.get(key) ?? []), phx_ref]);
        }
      for (const [key, { metas }] of Object.entries(leaves))
        for (const { phx_ref } of metas) {
          expect(there.get(key) ?? []).toContain(phx_ref);
          there.set(
            key,
            (there.get(key) ?? []).filter((ref) => ref !== phx_ref),
          );
        }
    }
  }
  return Object.fromEntries(there);
}
