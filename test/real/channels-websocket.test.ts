import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Pid, Process } from "../../src/index.ts";
import { ChannelsStage, type StagedServer } from "../support/channels-stage.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { roomChannel } from "../support/rooms.ts";

const OK = (response: unknown = {}) => ({ status: "ok", response });
const ERROR = (reason: string) => ({ status: "error", response: { reason } });

let stage: ChannelsStage;

beforeAll(async () => {
  stage = await ChannelsStage.open();
});

afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

describe("a channel, by WebSocket", () => {
  const ended: string[] = [];
  const processes = new Map<Pid, Process>();
  let server: StagedServer;
  let client: RawSocket;

  beforeAll(async () => {
    server = await stage.start({ channels: { "room:*": roomChannel({ ended, processes }) } });
  });

  beforeEach(async () => {
    ended.length = 0;
    client = await RawSocket.open(server.url);
  });

  afterEach(async () => {
    await client[Symbol.asyncDispose]();
  });

  async function join(topic: string, joinRef: string): Promise<void> {
    client.send(joinRef, joinRef, topic, "phx_join", {});
    expect(await client.take()).toEqual([[joinRef, joinRef, topic, "phx_reply", OK({ joined: topic })]]);
  }

  test("is joined, answers what is pushed, and is left: ok, then close", async () => {
    await join("room:1", "5");
    client.send("5", "6", "room:1", "echo", { text: "hi" });
    client.send("5", "7", "room:1", "teapot", {});
    client.send("5", "8", "room:1", "refuse", {});
    client.send("5", "9", "room:1", "unanswered", {});
    client.send("5", "10", "room:1", "phx_leave", {});
    expect(await client.take(5)).toEqual([
      ["5", "6", "room:1", "phx_reply", OK({ text: "hi" })],
      ["5", "7", "room:1", "phx_reply", { status: "teapot", response: { short: true } }],
      ["5", "8", "room:1", "phx_reply", ERROR("no")],
      ["5", "10", "room:1", "phx_reply", OK()],
      ["5", "5", "room:1", "phx_close", {}],
    ]);
    expect(ended).toEqual(["room:1 left"]);
  });

  test("takes no event after a leave: unmatched topic; another leave is ok", async () => {
    await join("room:1", "1");
    client.send("1", "2", "room:1", "phx_leave", {});
    client.send("1", "3", "room:1", "echo", {});
    client.send("1", "4", "room:1", "phx_leave", {});
    const frames = await client.take(4);
    expect(frames.slice(2)).toEqual([
      ["1", "3", "room:1", "phx_reply", ERROR("unmatched topic")],
      ["1", "4", "room:1", "phx_reply", OK()],
    ]);
  });

  test("that crashes is told, once, while its siblings live on; it can be joined again", async () => {
    await join("room:1", "1");
    await join("room:2", "2");
    client.send("1", "3", "room:1", "crash", {});
    client.send("2", "4", "room:2", "echo", { here: true });
    expect(await client.take(2)).toEqual([
      ["1", "1", "room:1", "phx_error", { reason: "crashed" }],
      ["2", "4", "room:2", "phx_reply", OK({ here: true })],
    ]);
    expect(server.complaints).toContain("a channel crashed: crashed on purpose");
    await join("room:1", "5");
    expect(await client.quiet()).toEqual([]);
  });

  test("that ends by itself is closed", async () => {
    await join("room:1", "1");
    client.send("1", "2", "room:1", "stop", {});
    expect(await client.take()).toEqual([["1", "1", "room:1", "phx_close", {}]]);
    expect(ended).toEqual(["room:1 stopped"]);
  });

  test.each([
    ["normal", "phx_close", {}],
    ["killed", "phx_error", { reason: "crashed" }],
  ] as const)("whose process ends (%s) is told so: %s", async (kind, event, payload) => {
    const pid = await pidOf("room:1");
    const monitor = server.node.monitor(pid);
    await server.node.names.register(`victim-${kind}`, pid);
    server.node.send(pid, "hello");
    expect(await client.take()).toEqual([["1", null, "room:1", "info", { message: "hello" }]]);
    expect(await server.node.call(pid, "called")).toBe("told");
    await client.take();
    processes.get(pid)?.exit({ kind });
    expect(await client.take()).toEqual([["1", "1", "room:1", event, payload]]);
    expect((await monitor.down).reason.kind).toBe(kind);
    expect(server.node.names.whereis(`victim-${kind}`)).toBeUndefined();
  });

  test("ends with its socket, and with it its process", async () => {
    const pid = await pidOf("room:1");
    const { down } = server.node.monitor(pid);
    client.socket.terminate();
    expect((await down).reason.kind).toBe("normal");
    expect(ended).toEqual(["room:1 closed"]);
    expect(server.socket.stats()).toMatchObject({ channels: 0, topics: 0 });
  });

  test("that is joined anew is closed by its old reference, before the new one is let in", async () => {
    await join("room:1", "1");
    client.send("2", "2", "room:1", "phx_join", {});
    expect(await client.take(2)).toEqual([
      ["1", "1", "room:1", "phx_close", {}],
      ["2", "2", "room:1", "phx_reply", OK({ joined: "room:1" })],
    ]);
    expect(ended).toEqual(["room:1 rejoined"]);
    expect(server.socket.stats().channels).toBe(1);
  });

  test("drops what is meant for an earlier join, and takes what names none", async () => {
    await join("room:1", "2");
    client.send("1", "3", "room:1", "echo", {});
    client.send("1", "4", "room:1", "phx_leave", {});
    client.send(null, "5", "room:1", "echo", { null: true });
    expect(await client.quiet()).toEqual([["2", "5", "room:1", "phx_reply", OK({ null: true })]]);
  });

  test("refuses: topics without a channel, joins that the channel refuses, joins that crash", async () => {
    client.send("1", "1", "hall:1", "phx_join", {});
    client.send(null, "2", "hall:1", "phx_join", {});
    client.send("3", "3", "phoenix", "phx_join", {});
    client.send("4", "4", "room:1", "phx_join", { refused: "not today" });
    client.send("5", "5", "room:1", "phx_join", { crash: true });
    client.send("6", "6", "room:1", "echo", {});
    expect(await client.take(6)).toEqual([
      ["1", "1", "hall:1", "phx_reply", ERROR("unmatched topic")],
      [null, "2", "hall:1", "phx_reply", ERROR("unmatched topic")],
      ["3", "3", "phoenix", "phx_reply", ERROR("unmatched topic")],
      ["4", "4", "room:1", "phx_reply", ERROR("not today")],
      ["5", "5", "room:1", "phx_reply", ERROR("join crashed")],
      ["6", "6", "room:1", "phx_reply", ERROR("unmatched topic")],
    ]);
    expect(server.socket.stats().channels).toBe(0);
    expect(ended).toEqual([]);
  });

  test.each([
    ["__proto__", "__proto__"],
    ["one that is too long", `room:${"x".repeat(251)}`],
    ["one with half a character", "room:\ud800"],
    ["an empty one", ""],
  ])("has no hostile topic: %s", async (_what, topic) => {
    client.send("1", "1", topic, "phx_join", {});
    expect(await client.take()).toEqual([["1", "1", topic, "phx_reply", ERROR("unmatched topic")]]);
  });

  test("may be called by any name that its pattern allows", async () => {
    for (const topic of ["room:__proto__", "room:", "room:a.b>*", `room:${"x".repeat(250)}`])
      await join(topic, topic.slice(0, 20));
  });

  test("there are 100 of at most, of one socket", async () => {
    for (let at = 1; at <= 101; at += 1) client.send(`${at}`, `${at}`, `room:${at}`, "phx_join", {});
    const frames = await client.take(101);
    const refused = frames.filter((frame) => JSON.stringify(frame).includes("error"));
    expect(refused).toEqual([["101", "101", "room:101", "phx_reply", ERROR("too many channels joined")]]);
    client.send("1", "102", "room:1", "phx_leave", {});
    await client.take(2);
    client.send("103", "103", "room:101", "phx_join", {});
    expect(await client.take()).toEqual([
      ["103", "103", "room:101", "phx_reply", OK({ joined: "room:101" })],
    ]);
  });

  test("takes and gives bytes: pushes, answers, broadcasts", async () => {
    await join("room:1", "1");
    const push = (ref: string, event: string): void =>
      client.socket.send(
        Buffer.concat([
          Uint8Array.of(0, 1, ref.length, 6, event.length),
          Buffer.from(`1${ref}room:1${event}`),
          Uint8Array.of(1, 2, 255),
        ]),
      );
    push("2", "echo");
    push("3", "pushBack");
    push("4", "shout");
    const [echoed, pushed, shouted] = await client.take(4);
    const bytes = Uint8Array.of(1, 2, 255);
    expect(echoed).toEqual(Buffer.concat([Uint8Array.of(1, 1, 1, 6, 2), Buffer.from("12room:1ok"), bytes]));
    expect(pushed).toEqual(Buffer.concat([Uint8Array.of(0, 1, 6, 6), Buffer.from("1room:1pushed"), bytes]));
    expect(shouted).toEqual(Buffer.concat([Uint8Array.of(2, 6, 7), Buffer.from("room:1shouted"), bytes]));
    push("5", "pushLong");
    expect(await client.take()).toEqual([["1", "1", "room:1", "phx_error", { reason: "crashed" }]]);
    expect(server.complaints.at(-1)).toMatch(/255 bytes/);
  });

  test("broadcasts to all of its topic, the sender before its answer", async () => {
    await using other = await RawSocket.open(server.url);
    await join("room:1", "1");
    other.send("9", "9", "room:1", "phx_join", {});
    await other.take();
    client.send("1", "2", "room:1", "shout", { n: 1 });
    client.send("1", "3", "room:1", "shoutToOthers", { n: 2 });
    const shouted = (n: number) => [null, null, "room:1", "shouted", { n }];
    expect(await client.take(2)).toEqual([shouted(1), ["1", "2", "room:1", "phx_reply", OK()]]);
    server.socket.broadcast("room:1", "shouted", { n: 3 });
    expect(await client.take()).toEqual([shouted(3)]);
    expect(await other.take(3)).toEqual([1, 2, 3].map(shouted));
    expect([await client.quiet(), await other.quiet()]).toEqual([[], []]);
  });

  test("takes what others broadcast on the pub-sub, and drops what has no frame", async () => {
    await join("room:1", "1");
    const { pubsub } = server.socket;
    pubsub.broadcast("room:1", "no event");
    pubsub.broadcast("room:1", { event: "big", payload: 1n });
    pubsub.broadcast("room:1", { event: "said", payload: ["by", "others"] });
    expect(await client.take()).toEqual([[null, null, "room:1", "said", ["by", "others"]]]);
    expect(server.complaints.slice(-2)).toEqual([
      "what was broadcast has no event, and was dropped",
      expect.stringMatching(/^what was broadcast has no frame, and was dropped/),
    ]);
  });

  async function pidOf(topic: string): Promise<Pid> {
    await join(topic, "1");
    client.send("1", "pid", topic, "pid", {});
    const [frame] = await client.take();
    const [, , , , { response }] = frame as readonly [
      string,
      string,
      string,
      string,
      { response: { pid: Pid } },
    ];
    return response.pid;
  }
});
