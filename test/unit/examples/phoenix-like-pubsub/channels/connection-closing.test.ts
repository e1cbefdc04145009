import { beforeEach, describe, expect, test, vi } from "vitest";
import { ok } from "../../../../../examples/phoenix-like-pubsub/channels/answer.ts";
import type { Connection } from "../../../../../examples/phoenix-like-pubsub/channels/connection.ts";
import type { Channel } from "../../../../../examples/phoenix-like-pubsub/channels/types.ts";
import type { ClusterNode } from "../../../../../src/index.ts";
import { connect, type RecordingTransport, servicesOf } from "../../../../support/channels-connection.ts";
import { lobbyChannel } from "../../../../support/rooms.ts";
import { Shells } from "../../../../support/shells.ts";

describe("a client whose transport closes while it sends", () => {
  let shells: Shells;
  let a: ClusterNode;

  beforeEach(async () => {
    shells = new Shells("closing");
    a = await shells.start("a");
  });

  /** The next frame finds nobody. */
  function breakAtNextSend(transport: RecordingTransport, connection: Connection): void {
    transport.send = () => connection.closed();
  }

  test("has no channel started that nobody would end, and its own are ended", async () => {
    const going: (() => void)[] = [];
    let joins = 0;
    const channel: Channel = {
      join() {
        joins += 1;
        return ok();
      },
      terminate: () => new Promise((resolve) => going.push(resolve)),
    };
    const services = servicesOf(a, { room: channel, other: { join: () => ok() } });
    const { processes } = a.stats();
    const { connection, send, transport } = connect(services);
    send("1", "1", "room", "phx_join", {});
    send("5", "5", "other", "phx_join", {});
    await shells.run(100);
    // What is told of its end is what fails; a join that waits for the end is to follow.
    send("1", "2", "room", "phx_leave", {});
    send("3", "3", "room", "phx_join", {});
    breakAtNextSend(transport, connection);
    going.shift()?.();
    await shells.run(10);
    await connection.whenEnded;
    expect(joins).toBe(1);
    expect(services.counts.channels).toBe(0);
    expect(services.topics.size).toBe(0);
    expect(a.stats().processes).toBe(processes);
  });

  test("has the channel ended to which it was just let in, which then follows nothing", async () => {
    const services = servicesOf(a, { lobby: lobbyChannel });
    const { processes, watches } = a.stats();
    const { connection, send, transport } = connect(services);
    const open = services.feeds.take.bind(services.feeds);
    const follow = vi.fn();
    vi.spyOn(services.feeds, "take").mockImplementation((topic) => ({ ...open(topic), follow }));
    breakAtNextSend(transport, connection);
    send("1", "1", "lobby", "phx_join", { key: "ann" });
    await shells.run(100);
    await connection.whenEnded;
    expect(follow).not.toHaveBeenCalled();
    expect(a.stats()).toMatchObject({ processes, watches });
    expect(services.counts.channels).toBe(0);
  });

  test("has its channels ended one after the other, however many there are", async () => {
    const channels = 3_000;
    const services = servicesOf(a, { "room:*": { join: () => ok() } }, { channels });
    const { connection, send } = connect(services);
    for (let at = 0; at < channels; at += 1) send(`${at}`, `${at}`, `room:${at}`, "phx_join", {});
    await shells.run(100);
    expect(services.counts.channels).toBe(channels);
    connection.closed();
    await connection.whenEnded;
    expect(services.counts.channels).toBe(0);
  });
});

test("frames of a channel go out at once, in the order in which they were made, whoever made them", async () => {
  const shells = new Shells("frames");
  const told: unknown[] = [];
  const channel: Channel = {
    join: () => ok(),
    handleIn(_event, _payload, { broadcast, push }) {
      push("first");
      broadcast("second");
      push("third");
      told.push(...transport.take());
      return ok();
    },
  };
  const { send, transport } = connect(servicesOf(await shells.start("a"), { room: channel }));
  send("1", "1", "room", "phx_join", {});
  await shells.run(100);
  transport.take();
  send("1", "2", "room", "e", {});
  expect(told).toEqual([
    ["1", null, "room", "first", {}],
    [null, null, "room", "second", {}],
    ["1", null, "room", "third", {}],
  ]);
  expect(transport.take()).toHaveLength(1);
});
