import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Channel, ok } from "../../examples/phoenix-like-pubsub/channels/index.ts";
import { ChannelsStage, type StagedServer } from "../support/channels-stage.ts";
import { eventually } from "../support/eventually.ts";
import { RawSocket } from "../support/raw-socket.ts";

describe("while channels have something to do before they end", () => {
  let stage: ChannelsStage;
  let staged: StagedServer;
  let going: (() => void)[];

  beforeEach(async () => {
    stage = await ChannelsStage.open();
    going = [];
    const slow: Channel = {
      join: () => ok(),
      terminate: () => new Promise((resolve) => going.push(resolve)),
    };
    staged = await stage.start({ channels: { slow }, limits: { closeMs: 600_000 } });
  });

  afterEach(async () => {
    letGo();
    await stage[Symbol.asyncDispose]();
  });

  function letGo(): void {
    for (const go of going.splice(0)) go();
  }

  async function joined(): Promise<RawSocket> {
    const client = await RawSocket.open(staged.url);
    client.send("1", "1", "slow", "phx_join", {});
    await client.take();
    return client;
  }

  /** Whatever would be over without them is over by then. */
  async function expectToWaitForChannels(...calls: readonly Promise<void>[]): Promise<void> {
    const over: number[] = [];
    const all = calls.map((call, at) => call.then(() => over.push(at)));
    await eventually(() => going.length > 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).toEqual([]);
    expect(staged.socket.stats().channels).toBe(going.length);
    letGo();
    await Promise.all(all);
    expect(staged.socket.stats().channels).toBe(0);
  }

  test.each(["drain", "stop"] as const)(
    "%s waits for those whose client had hung up before",
    async (call) => {
      await (await joined())[Symbol.asyncDispose]();
      await eventually(() => going.length === 1);
      await expectToWaitForChannels(staged.socket[call]());
    },
  );

  test("stop waits for those that a drain is ending", async () => {
    await joined();
    await expectToWaitForChannels(staged.socket.drain(), staged.socket.stop());
  });

  test("drain waits for those that a stop is ending", async () => {
    await joined();
    await expectToWaitForChannels(staged.socket.stop(), staged.socket.drain());
  });

  test("a drain waits for those of another one", async () => {
    await joined();
    await expectToWaitForChannels(staged.socket.drain(), staged.socket.drain());
  });

  test("a stop in the pause of a drain ends the rest, and both wait for all", async () => {
    const [first] = [await joined(), await joined()];
    const draining = staged.socket.drain({ batch: 1, everyMs: 600_000 });
    expect(await first?.whenClosed()).toEqual({ code: 1012, reason: "restart" });
    expect(going).toHaveLength(1);
    const stopping = staged.socket.stop();
    expect(going).toHaveLength(2);
    // That of the batch before the pause.
    going.shift()?.();
    await eventually(() => staged.socket.stats().channels === 1);
    await expectToWaitForChannels(draining, stopping);
  });
});
