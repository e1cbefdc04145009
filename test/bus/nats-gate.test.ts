import { beforeEach, describe, expect, test } from "vitest";
import type { NatsCallback, NatsClient, NatsServerInfo } from "../../src/bus/nats/client.ts";
import { NatsBusConnection } from "../../src/bus/nats/connection.ts";
import { VirtualClock } from "../../src/kernel/virtual-clock.ts";
import { BusPeer } from "../support/bus-peer.ts";

/**
 * A client whose every step the test decides. The orders of events tested here are allowed by the packages' interfaces, but a
 * real server brings them about once in a million times.
 */
class ScriptedClient implements NatsClient {
  info: NatsServerInfo | undefined = infoOf(1);
  readonly published: string[] = [];
  readonly callbacks = new Map<string, NatsCallback>();
  readonly #statuses: unknown[] = [];
  #wake: () => void = () => undefined;

  publish(subject: string, _data?: Uint8Array, options?: { reply?: string }): void {
    this.published.push(options?.reply === undefined ? subject : `${subject} → ${options.reply}`);
  }

  subscribe(subject: string, options: { callback: NatsCallback }) {
    this.callbacks.set(subject, options.callback);
    return { unsubscribe: () => void this.callbacks.delete(subject), isClosed: () => false };
  }

  flush(): Promise<void> {
    return new Promise(() => undefined);
  }

  async *status(): AsyncGenerator<unknown> {
    for (;;) {
      while (this.#statuses.length > 0) yield this.#statuses.shift();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  closed(): Promise<unknown> {
    return new Promise(() => undefined);
  }

  async close(): Promise<void> {}

  isClosed(): boolean {
    return false;
  }

  /** Tells a status, and lets whoever listens take it. */
  async tell(type: string): Promise<void> {
    this.#statuses.push({ type });
    this.#wake();
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }

  deliver(pattern: string, subject: string, text: string, code?: number): void {
    const headers = code === undefined ? undefined : { code };
    this.callbacks.get(pattern)?.(null, { subject, data: Buffer.from(text), headers });
  }
}

function infoOf(clientId: number, serverId = "S"): NatsServerInfo {
  return {
    server_id: serverId,
    server_name: serverId,
    client_id: clientId,
    max_payload: 1_000,
    headers: true,
  };
}

let client: ScriptedClient;
let peer: BusPeer;

beforeEach(async () => {
  client = new ScriptedClient();
  peer = new BusPeer("me@1");
  const options = peer.options({ clock: new VirtualClock() });
  const settings = { ours: false, inbox: "_INBOX.x", advisories: "adv" };
  peer.attach(new NatsBusConnection(client, infoOf(1), options, settings));
  peer.connection.subscribe("t.x");
  await Promise.resolve();
});

describe("the gate of a NATS connection", () => {
  test("closes with the client's own knowledge, before any status is told", () => {
    client.info = undefined;
    expect([peer.publish("t.y", "x"), peer.connection.probe("t.y"), peer.connection.connected]).toEqual([
      false,
      false,
      false,
    ]);
    client.info = infoOf(2);
    expect([peer.publish("t.y", "x"), peer.connection.probe("t.y"), peer.connection.connected]).toEqual([
      false,
      false,
      false,
    ]);
    expect([client.published, peer.calls]).toEqual([[], []]);
  });

  test("stays open when the server only sends news of itself", () => {
    client.info = { ...infoOf(1), max_payload: 2_000 };
    expect(peer.publish("t.y", "x")).toBe(true);
    expect([peer.connection.maxPayload, peer.connection.epoch]).toEqual([2_000, 1]);
  });

  test("a message of the new connection that comes before its status comes after its epoch", async () => {
    await client.tell("disconnect");
    client.info = infoOf(2);
    client.deliver("t.x", "t.x", "first");
    await client.tell("reconnect");
    expect(peer.calls).toEqual([
      { kind: "status", status: { kind: "disconnected" } },
      { kind: "status", status: { kind: "connected", epoch: 2, serverId: "S" } },
      { kind: "message", subject: "t.x", data: new Uint8Array(Buffer.from("first")) },
    ]);
  });

  test("a drop that nobody told of is told when the new connection shows", async () => {
    client.info = infoOf(7, "T");
    client.deliver("t.x", "t.x", "first");
    expect(peer.calls.map((call) => (call.kind === "status" ? call.status.kind : call.kind))).toEqual([
      "disconnected",
      "connected",
      "message",
    ]);
    // Told late, it may count once more, but must not leave the gate closed.
    await client.tell("disconnect");
    await client.tell("reconnect");
    expect([peer.connection.connected, peer.statusKinds.at(-1)]).toEqual([true, "connected"]);
    expect(peer.connection.serverId).toBe("T");
  });

  test("a message of the old connection that comes after the drop was told is not passed on", async () => {
    await client.tell("disconnect");
    client.deliver("t.x", "t.x", "late");
    client.deliver("_INBOX.x.*", "_INBOX.x.1", "", 503);
    expect(peer.calls).toEqual([{ kind: "status", status: { kind: "disconnected" } }]);
  });

  test("a flush that the client leaves hanging is rejected by the drop", async () => {
    const flush = peer.connection.flush();
    await Promise.all([
      expect(flush).rejects.toMatchObject({ code: "BUS_CLOSED" }),
      client.tell("staleConnection"),
    ]);
  });
});

describe("answers and advisories", () => {
  test("only an empty message with code 503 means that nobody is there, and only once", () => {
    peer.connection.probe("p.b");
    expect(client.published).toEqual(["p.b → _INBOX.x.1"]);
    client.deliver("_INBOX.x.*", "_INBOX.x.1", "");
    client.deliver("_INBOX.x.*", "_INBOX.x.1", "body", 503);
    client.deliver("_INBOX.x.*", "_INBOX.x.1", "", 500);
    client.deliver("_INBOX.x.*", "_INBOX.x.999", "", 503);
    expect(peer.noResponders).toEqual([]);
    client.deliver("_INBOX.x.*", "_INBOX.x.1", "", 503);
    client.deliver("_INBOX.x.*", "_INBOX.x.1", "", 503);
    expect(peer.noResponders).toEqual(["p.b"]);
  });

  test("what is remembered of probes is bounded: the oldest are forgotten first", () => {
    for (let index = 0; index < 2_000; index += 1) peer.connection.probe(`p.${index}`);
    for (const reply of client.published.map((line) => line.split(" → ")[1] ?? "")) {
      client.deliver("_INBOX.x.*", reply, "", 503);
    }
    expect(peer.noResponders).toHaveLength(1_024);
    expect(peer.noResponders.at(-1)).toBe("p.1999");
  });

  test("probes of an earlier epoch are not answered in a later one", async () => {
    peer.connection.probe("p.b");
    await client.tell("disconnect");
    client.info = infoOf(2);
    await client.tell("reconnect");
    client.deliver("_INBOX.x.*", "_INBOX.x.1", "", 503);
    expect(peer.noResponders).toEqual([]);
  });

  test("an advisory about this node's own former connection, or one that makes no sense, is not told", () => {
    for (const text of ['{"client":{"name":"me@1"}}', '{"client":{}}', "{", "[]", '{"client":{"name":""}}']) {
      client.deliver("adv", "adv", text);
    }
    client.deliver("adv", "adv", '{"client":{"name":"you@1"}}');
    expect(peer.advisories).toEqual(["you@1"]);
  });
});
