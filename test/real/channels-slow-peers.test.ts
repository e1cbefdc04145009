import { once } from "node:events";
import type { Server } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Channel, ok } from "../../examples/phoenix-like-pubsub/channels/index.ts";
import { ChannelsStage, connectionsOf } from "../support/channels-stage.ts";
import { eventually } from "../support/eventually.ts";
import { RawPoller } from "../support/raw-poller.ts";
import { roomChannel } from "../support/rooms.ts";

const channels = { "room:*": roomChannel() };
/** So long that whatever waits for it fails. */
const NEVER_MS = 600_000;

let stage: ChannelsStage;
const open = new Set<Socket>();

beforeEach(async () => {
  stage = await ChannelsStage.open();
});

afterEach(async () => {
  for (const tcp of open) tcp.destroy();
  open.clear();
  await stage[Symbol.asyncDispose]();
});

/** Begins a request, with a body that does not end. */
async function beginPost(
  { port, server }: { readonly port: number; readonly server: Server },
  { token }: RawPoller,
  body: string,
): Promise<{ readonly tcp: Socket; readonly answer: Promise<string> }> {
  const tcp = connectTcp(port, "127.0.0.1");
  open.add(tcp);
  let text = "";
  tcp.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  tcp.on("error", () => {});
  const answer = new Promise<string>((resolve) => tcp.once("close", () => resolve(text)));
  const begun = once(server, "request");
  tcp.write(
    `POST /socket/longpoll?vsn=2.0.0&token=${token} HTTP/1.1\r\nhost: a\r\n` +
      `content-type: application/x-ndjson\r\ncontent-length: 1000000\r\n\r\n${body}`,
  );
  await begun;
  return { tcp, answer };
}

const heartbeat = (ref: string, text = "") => [null, ref, "phoenix", "heartbeat", { text }];

describe("a long poll's body that does not end", () => {
  test("is not waited for when its session is over: 410", async () => {
    const staged = await stage.start({
      channels,
      id: () => "user:ann",
      limits: { transferMs: NEVER_MS, pollMs: NEVER_MS },
    });
    const client = await RawPoller.open(staged.http);
    const { answer } = await beginPost(staged, client, "[");
    staged.socket.disconnect("user:ann");
    const told = await answer;
    expect(told).toContain("connection: close");
    expect(told).toContain(`{"status":410}`);
  });

  test("ends its session at once when it is too long: 413", async () => {
    const staged = await stage.start({
      channels,
      limits: { batchBytes: 1_000, transferMs: NEVER_MS, pollMs: NEVER_MS },
    });
    const client = await RawPoller.open(staged.http);
    const { answer } = await beginPost(staged, client, "x".repeat(1_001));
    const told = await answer;
    expect(told).toContain("connection: close");
    expect(told).toContain(`{"status":413}`);
    expect(staged.socket.stats()).toMatchObject({ longPolls: 0, closed: { malformed: 1 } });
  });

  test("is hung up on in time, and its session can go on", async () => {
    const staged = await stage.start({ channels, limits: { transferMs: 500, pollMs: NEVER_MS } });
    const client = await RawPoller.open(staged.http);
    const { answer } = await beginPost(staged, client, "[");
    expect(await answer).toBe("");
    expect(await client.post(heartbeat("1"))).toEqual({ status: 200 });
    expect(await client.take()).toHaveLength(1);
  });

  test("counts for all: who finds no room is answered 408, until it is gone", async () => {
    const staged = await stage.start({
      channels,
      limits: { batchesBytes: 50_000, transferMs: NEVER_MS, pollMs: NEVER_MS },
    });
    const slow = await RawPoller.open(staged.http);
    const client = await RawPoller.open(staged.http);
    const long = heartbeat("1", "x".repeat(30_000));
    expect(await client.post(long)).toEqual({ status: 200 });
    const { tcp } = await beginPost(staged, slow, "x".repeat(30_000));
    await eventually(async () => (await client.post(long)).status === 408);
    tcp.destroy();
    await eventually(async () => (await client.post(long)).status === 200);
  });
});

test("an answer to a poll that nobody reads is hung up on in time", async () => {
  const text = "x".repeat(32 * 1024 * 1024);
  const flood: Channel = {
    join(_payload, { push }) {
      push("flood", { text });
      return ok();
    },
  };
  const { http, port, server } = await stage.start({
    channels: { flood },
    limits: { outboundBytes: 2 * text.length, transferMs: 500, pollMs: NEVER_MS },
  });
  const client = await RawPoller.open(http);
  await client.post(["1", "1", "flood", "phx_join", {}]);
  server.closeIdleConnections();
  const tcp = connectTcp(port, "127.0.0.1");
  open.add(tcp);
  tcp.on("error", () => {});
  const begun = once(server, "request");
  tcp.write(`GET /socket/longpoll?vsn=2.0.0&token=${client.token} HTTP/1.1\r\nhost: a\r\n\r\n`);
  await begun;
  await eventually(async () => (await connectionsOf(server)) === 0);
});
