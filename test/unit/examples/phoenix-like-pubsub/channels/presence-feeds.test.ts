import { beforeEach, describe, expect, test } from "vitest";
import type { ConnectionServices } from "../../../../../examples/phoenix-like-pubsub/channels/connection.ts";
import type { Follower } from "../../../../../examples/phoenix-like-pubsub/channels/presence-feeds.ts";
import type { Channel } from "../../../../../examples/phoenix-like-pubsub/channels/types.ts";
import { type ClusterNode, LimitExceededError } from "../../../../../src/index.ts";
import { connect, servicesOf } from "../../../../support/channels-connection.ts";
import { loggerTo } from "../../../../support/channels-stage.ts";
import { lobbyChannel } from "../../../../support/rooms.ts";
import { Shells } from "../../../../support/shells.ts";

describe("clients that follow presences", () => {
  let shells: Shells;
  let a: ClusterNode;
  let services: ConnectionServices;
  let complaints: string[];

  beforeEach(async () => {
    shells = new Shells("feeds");
    a = await shells.start("a");
    complaints = [];
    services = servicesOf(a, { lobby: lobbyChannel }, {}, loggerTo(complaints));
  });

  const track = (key: string, meta: object = {}) => services.presence.track(a.spawn(), "lobby", key, meta);

  async function follow() {
    const states: string[][] = [];
    let diffs = 0;
    const follower: Follower = {
      state: ({ text }) => states.push(Object.keys(JSON.parse(text) as object)),
      diff: () => {
        diffs += 1;
      },
    };
    const place = services.feeds.take("lobby");
    place.follow(follower);
    await shells.run(10);
    return { states, leave: place.leave, diffs: () => diffs };
  }

  async function join(key: string) {
    const client = connect(services);
    client.send("1", "1", "lobby", "phx_join", { key });
    await shells.run(100);
    return client;
  }

  const eventsOf = (frames: readonly unknown[]) => frames.map((frame) => (frame as readonly unknown[])[3]);

  test("get what is true when they come, also after nobody followed for a while", async () => {
    track("ann");
    const first = await follow();
    expect(first.states).toEqual([["ann"]]);
    first.leave();
    first.leave();
    track("bob");
    await shells.run(100);
    const second = await follow();
    expect(second.states).toEqual([["ann", "bob"]]);
    // Who left long ago ends nothing that others follow.
    first.leave();
    track("eve");
    await shells.run(100);
    expect(second.diffs()).toBe(1);
    expect(first.diffs()).toBe(0);
  });

  test("follow nothing if they cannot be told who is there", async () => {
    const { watches } = a.stats();
    const first = await follow();
    const told: string[] = [];
    const broken: Follower = {
      state: () => {
        throw new Error("on purpose");
      },
      diff: () => void told.push("diff"),
    };
    expect(() => services.feeds.take("lobby").follow(broken)).toThrow("on purpose");
    track("ann");
    await shells.run(100);
    expect(first.diffs()).toBe(1);
    expect(told).toEqual([]);
    first.leave();
    await shells.run(10);
    expect(a.stats().watches).toBe(watches);
  });

  test("are shown all but what JSON cannot say, which is logged", async () => {
    track("odd", { n: 1n });
    const ann = await join("ann");
    const bob = await join("bob");
    track("odder", { n: 1n });
    await shells.run(100);
    expect(eventsOf(ann.transport.take())).toEqual(["phx_reply", "presence_state", "presence_diff"]);
    const [, state] = bob.transport.take() as readonly (readonly unknown[])[];
    expect(Object.keys(state?.[4] as object)).toEqual(["ann"]);
    const complaint = "a presence that JSON cannot say is shown to no client";
    expect(complaints).toEqual([expect.stringContaining(complaint), expect.stringContaining(complaint)]);
    expect(services.counts.crashes).toBe(0);
  });

  test("hear nothing more once their channel is to end, while it still does what it has to", async () => {
    let going: () => void = () => {};
    const slow: Channel = {
      ...lobbyChannel,
      terminate: () => new Promise((resolve) => (going = resolve)),
    };
    services = servicesOf(a, { lobby: slow });
    const ann = await join("ann");
    ann.send("1", "2", "lobby", "phx_leave", {});
    ann.transport.take();
    track("bob");
    await shells.run(100);
    expect(ann.transport.take()).toEqual([]);
    going();
    await shells.run(10);
    expect(eventsOf(ann.transport.take())).toEqual(["phx_reply", "phx_close"]);
  });

  describe("of whom there are more than may wait for one client", () => {
    const limit = 8 * 1024;

    beforeEach(() => {
      services = servicesOf(a, { lobby: lobbyChannel }, { outboundBytes: limit }, loggerTo(complaints));
      for (let at = 0; at < 100; at += 1) track(`k${at}`, { text: "x".repeat(100) });
    });

    test.each(["first", "later"])(
      "are told that their channel crashed, and no more: the %s",
      async (which) => {
        const early = which === "later" ? [await join("early"), await follow()] : [];
        expect(early).toHaveLength(which === "later" ? 2 : 0);
        complaints.length = 0;
        const { connection, send, transport } = await join("ann");
        expect(transport.take()).toEqual([
          ["1", "1", "lobby", "phx_reply", { status: "ok", response: {} }],
          ["1", "1", "lobby", "phx_error", { reason: "crashed" }],
        ]);
        expect(complaints).toEqual([
          expect.stringMatching(
            /^a channel crashed: a frame has at most limits\.outboundBytes, 8192 bytes; presence_state has 1\d{4}$/,
          ),
        ]);
        expect(transport.closes).toEqual([]);
        send(null, "2", "phoenix", "heartbeat", {});
        expect(transport.take()).toHaveLength(1);
        connection.closed();
        await connection.whenEnded;
      },
    );

    test("hear no changes either while their channel ends", async () => {
      const slow: Channel = { ...lobbyChannel, terminate: () => new Promise(() => {}) };
      services = servicesOf(a, { lobby: slow }, { outboundBytes: limit, closeMs: 60_000 });
      await follow();
      const { transport } = await join("ann");
      track("bob");
      await shells.run(100);
      expect(eventsOf(transport.take())).toEqual(["phx_reply"]);
    });

    test("leave the others be", async () => {
      const follower = await follow();
      await join("ann");
      await join("bob");
      expect(follower.states).toHaveLength(1);
      // Each came, and went.
      expect(follower.diffs()).toBe(4);
    });
  });

  test("are told anew who is there when the changes are too long for a frame", async () => {
    services = servicesOf(a, { lobby: lobbyChannel }, { outboundBytes: 8 * 1024 }, loggerTo(complaints));
    const there = a.spawn();
    services.presence.track(there, "lobby", "long", { text: "x".repeat(5_000) });
    const { send, transport } = await join("ann");
    expect(eventsOf(transport.take())).toEqual(["phx_reply", "presence_state"]);
    // A leave and a join, each of which has it all.
    services.presence.update(there, "lobby", "long", { text: "y".repeat(5_000) });
    await shells.run(100);
    const told = transport.take() as readonly (readonly unknown[])[];
    expect(eventsOf(told)).toEqual(["presence_state"]);
    expect(told[0]?.[4]).toMatchObject({ long: { metas: [{ text: "y".repeat(5_000) }] }, ann: {} });
    // More than any client can be told.
    track("longer", { text: "x".repeat(5_000) });
    await shells.run(100);
    expect(eventsOf(transport.take())).toEqual(["presence_diff"]);
    services.presence.update(there, "lobby", "long", { text: "z".repeat(5_000) });
    await shells.run(100);
    expect(eventsOf(transport.take())).toEqual(["phx_error"]);
    send(null, "2", "phoenix", "heartbeat", {});
    expect(transport.take()).toHaveLength(1);
    expect(services.counts.crashes).toBe(1);
  });

  test("are not let in when the node takes no more watches: nothing is left behind", async () => {
    const one = await shells.start("one", { limits: { watches: 1 } });
    const full = servicesOf(one, { lobby: lobbyChannel, other: lobbyChannel }, {}, loggerTo(complaints));
    const join = async (topic: string) => {
      const client = connect(full);
      client.send("1", "1", topic, "phx_join", { key: "ann" });
      await shells.run(200);
      return client;
    };
    const first = await join("other");
    expect(eventsOf(first.transport.take())).toEqual(["phx_reply", "presence_state"]);
    const { processes } = one.stats();
    expect(() => full.feeds.take("lobby")).toThrow(LimitExceededError);
    const crashed = { status: "error", response: { reason: "join crashed" } };
    expect((await join("lobby")).transport.take()).toEqual([["1", "1", "lobby", "phx_reply", crashed]]);
    expect(full.counts).toMatchObject({ channels: 1, crashes: 1 });
    expect(full.topics.size).toBe(1);
    expect(one.stats()).toMatchObject({ processes, watches: 1 });
    first.connection.closed();
    await shells.run(100);
    expect(one.stats().watches).toBe(0);
    expect(eventsOf((await join("lobby")).transport.take())).toEqual(["phx_reply", "presence_state"]);
  });

  test("keep the watch of a topic from when they are about to be let in until they leave", async () => {
    const { watches } = a.stats();
    const place = services.feeds.take("lobby");
    expect(a.stats().watches).toBe(watches + 1);
    place.leave();
    await shells.run(10);
    expect(a.stats().watches).toBe(watches);
    // Too late.
    place.follow({
      state: () => {
        throw new Error("nobody follows");
      },
      diff() {},
    });
    const states = (await follow()).states;
    expect(states).toHaveLength(1);
  });
});
