import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChannelsStage, type StagedServer } from "../support/channels-stage.ts";
import { eventually } from "../support/eventually.ts";
import {
  JoinedChannel,
  PhoenixClient,
  type PhoenixTransport,
  PresenceView,
} from "../support/phoenix-client.ts";
import { lobbyChannel, roomChannel } from "../support/rooms.ts";

const options = {
  channels: { "room:*": roomChannel(), lobby: lobbyChannel },
  // So that who polls no more is soon known to be gone.
  limits: { pollMs: 1_500 },
};

let stage: ChannelsStage;
let first: StagedServer;
let second: StagedServer;

beforeEach(async () => {
  stage = await ChannelsStage.open();
  first = await stage.start(options);
  second = await stage.start(options);
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const TRANSPORTS: readonly PhoenixTransport[] = ["websocket", "longpoll"];

describe.each(TRANSPORTS)("the npm client, by %s, on two nodes", (transport) => {
  test("joins, pushes and is answered, hears broadcasts of the other node, leaves", async () => {
    using here = new PhoenixClient(first.url, transport);
    using there = new PhoenixClient(second.url, transport);
    const ann = await here.join("room:1");
    const bob = await there.join("room:1");
    expect(await ann.push("echo", { text: "hi" })).toEqual({ status: "ok", response: { text: "hi" } });
    expect(await ann.push("teapot")).toEqual({ status: "teapot", response: { short: true } });
    expect(await ann.push("refuse")).toEqual({ status: "error", response: { reason: "no" } });
    await ann.push("shout", { n: 1 });
    const shouted = { event: "shouted", payload: { n: 1 } };
    // The sender before its answer; the other soon, though it was let in only just now.
    expect(ann.events).toEqual([shouted]);
    await eventually(() => bob.events.length === 1);
    bob.channel.push("shoutToOthers", { n: 2 });
    await eventually(() => ann.events.length === 2);
    await bob.push("echo");
    expect(bob.events).toEqual([shouted]);
    await ann.leave();
    await eventually(() => first.socket.stats().channels === 0);
    expect(ann.closes).toBe(1);
    await bob.push("shout", { n: 3 });
    expect(ann.events).toHaveLength(2);
  });

  test("is told why it is refused", async () => {
    using client = new PhoenixClient(first.url, transport);
    await expect(client.join("hall:1")).rejects.toThrow('{"reason":"unmatched topic"}');
    await expect(client.join("room:1", { refused: "full" })).rejects.toThrow('{"reason":"full"}');
  });

  test("joins again when its channel has crashed, and what it pushes meanwhile waits", async () => {
    using client = new PhoenixClient(first.url, transport);
    const ann = await client.join("room:1");
    const sibling = await client.join("room:2");
    ann.channel.push("crash", {});
    await eventually(() => ann.errors === 1);
    expect(await ann.push("echo", { after: true })).toEqual({ status: "ok", response: { after: true } });
    expect([ann.joins, sibling.joins, sibling.errors]).toEqual([2, 1, 0]);
    expect(client.opened).toBe(1);
  });

  test("may join a topic by a second channel: the first is closed", async () => {
    using client = new PhoenixClient(first.url, transport);
    const one = await client.join("room:1");
    const two = await client.join("room:1");
    await eventually(() => one.closes === 1);
    expect(await two.push("echo", { n: 2 })).toMatchObject({ status: "ok" });
    expect(first.socket.stats().channels).toBe(1);
  });

  test("sees who is there: those who came before, who come, change and go", async () => {
    using here = new PhoenixClient(first.url, transport);
    using there = new PhoenixClient(second.url, transport);
    const ann = here.socket.channel("lobby", { key: "ann", as: "on" });
    const annSees = new PresenceView(ann);
    ann.join();
    await eventually(() => Object.keys(annSees.shown).length === 1);
    const bob = there.socket.channel("lobby", { key: "bob", as: "on" });
    const bobSees = new PresenceView(bob);
    bob.join();
    await eventually(
      () => Object.keys(annSees.shown).length === 2 && Object.keys(bobSees.shown).length === 2,
    );
    bob.push("become", { as: "away" });
    await eventually(() => annSees.shown["bob"]?.[0] === "away");
    expect(annSees.shown).toEqual({ ann: ["on"], bob: ["away"] });
    // By another tab.
    using tab = new PhoenixClient(first.url, transport);
    tab.socket.channel("lobby", { key: "bob", as: "tab" }).join();
    await eventually(() => annSees.shown["bob"]?.length === 2);
    bob.leave();
    await eventually(() => annSees.shown["bob"]?.length === 1);
    expect(annSees.shown).toEqual({ ann: ["on"], bob: ["tab"] });
    tab.socket.disconnect();
    await eventually(() => annSees.shown["bob"] === undefined);
    // An update is a join and a leave of one key, in this order.
    expect(annSees.log).toEqual([
      "ann came",
      "bob came",
      "bob came again",
      "bob left once",
      "bob came again",
      "bob left once",
      "bob left",
    ]);
    expect(bobSees.log.slice(0, 2).sort()).toEqual(["ann came", "bob came"]);
  });

  test("sees who is there, be it thousands", async () => {
    for (let at = 0; at < 2_000; at += 1) {
      const meta = { as: at, name: `visitor ${at}`, text: "x".repeat(100) };
      first.socket.presence.track(first.node.spawn(), "lobby", `key ${at}`, meta);
    }
    await first.node.settled();
    using client = new PhoenixClient(second.url, transport);
    const channel = client.socket.channel("lobby", { key: "ann" });
    const view = new PresenceView(channel);
    await new JoinedChannel(channel).whenJoined();
    await eventually(() => Object.keys(view.shown).length === 2_001);
    expect(view.shown["key 1999"]).toEqual([1_999]);
    expect(client.closed).toEqual([]);
  });
});
