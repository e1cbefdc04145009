import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BusPeer } from "../support/bus-peer.ts";
import { eventually } from "../support/eventually.ts";

/** What the suite needs of a bus: connections, and a way to break one of them. */
export interface BusHarness extends AsyncDisposable {
  connect(name: string, options?: { signal?: AbortSignal }): Promise<BusPeer>;
  /** Drops the connection of one peer and keeps it down. */
  cut(name: string): void | Promise<void>;
  heal(name: string): void | Promise<void>;
  /** Whether a connection gets what it published itself. */
  readonly echoes: boolean;
}

/** The rules of the bus port, for every adapter alike. */
export function describeBus(name: string, makeHarness: () => Promise<BusHarness>): void {
  describe(name, () => {
    let harness: BusHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(async () => {
      await harness[Symbol.asyncDispose]();
    });

    const connect = (peer: string): Promise<BusPeer> => harness.connect(peer);
    const pair = (): Promise<[BusPeer, BusPeer]> => Promise.all([connect("a"), connect("b")]);

    describeDelivery(connect, pair, () => harness);
    describeProbes(connect, pair, () => harness);
    describeReconnects(pair, () => harness);
    describeEnds(connect, pair, () => harness);
  });
}

type Connect = (peer: string) => Promise<BusPeer>;
type Pair = () => Promise<[BusPeer, BusPeer]>;
type Get = () => BusHarness;

function describeDelivery(connect: Connect, pair: Pair, get: Get): void {
  test("messages of one connection arrive in the order in which they were published, across subscriptions", async () => {
    const [a, b] = await pair();
    await b.listen("t.one", "t.two", "u.*");
    const subjects = ["t.one", "u.x", "t.two", "u.y"];
    const sent: string[] = [];
    for (let index = 0; index < 400; index += 1) {
      const subject = subjects[index % subjects.length] ?? "t.one";
      a.publish(subject, `${subject} ${index}`);
      sent.push(`${subject} ${index}`);
    }
    await eventually(() => b.messages.length === sent.length);
    expect(b.texts).toEqual(sent);
    expect(
      b.messages.every(({ subject, data }) => Buffer.from(data).toString().startsWith(`${subject} `)),
    ).toBe(true);
  });

  test("a message reaches every subscriber", async () => {
    const [a, b] = await pair();
    const c = await connect("c");
    await Promise.all([b.listen("t.all"), c.listen("t.*")]);
    a.publish("t.all", "hello");
    await eventually(() => b.messages.length === 1 && c.messages.length === 1);
    expect([b.texts, c.texts]).toEqual([["hello"], ["hello"]]);
  });

  test("a wildcard stands for exactly one token", async () => {
    const [a, b] = await pair();
    await b.listen("w.*.z", "end");
    for (const subject of ["w.z", "w.a.z", "w.a.b.z", "w.a.y", "w.b.z", "end"]) a.publish(subject, subject);
    await eventually(() => b.texts.includes("end"));
    expect(b.texts).toEqual(["w.a.z", "w.b.z", "end"]);
  });

  test("a message comes once for each subscription that matches, and once for a subject subscribed twice", async () => {
    const [a, b] = await pair();
    await b.listen("o.x", "o.*", "o.x", "end");
    a.publish("o.x", "x");
    a.publish("o.y", "y");
    a.publish("end", "end");
    await eventually(() => b.texts.includes("end"));
    expect(b.texts).toEqual(["x", "x", "y", "end"]);
  });

  test("own messages come back only from a connection that echoes", async () => {
    const [a, b] = await pair();
    await Promise.all([a.listen("t.own", "t.back"), b.listen("t.own")]);
    a.publish("t.own", "mine");
    await eventually(() => b.messages.length === 1);
    b.publish("t.back", "back");
    await eventually(() => a.texts.includes("back"));
    expect(a.texts).toEqual(get().echoes ? ["mine", "back"] : ["back"]);
  });

  test("any bytes pass unchanged", async () => {
    const [a, b] = await pair();
    await b.listen("bytes");
    const all = Uint8Array.from({ length: 256 * 3 }, (_, index) => (index * 7) & 0xff);
    const tricky = Buffer.from("\r\nPUB x 1\r\nMSG \0\r\n-ERR 'x'\r\n");
    a.connection.publish("bytes", all);
    a.connection.publish("bytes", tricky);
    await eventually(() => b.messages.length === 2);
    expect(b.messages.map(({ data }) => Buffer.from(data).toString("hex"))).toEqual([
      Buffer.from(all).toString("hex"),
      tricky.toString("hex"),
    ]);
  });

  test("a message of maxPayload bytes passes, one byte more is refused, and the connection lives on", async () => {
    const [a, b] = await pair();
    await b.listen("big");
    const limit = a.connection.maxPayload;
    expect(limit).toBeGreaterThanOrEqual(65_536);
    const largest = new Uint8Array(limit).fill(0x5a);
    expect(a.connection.publish("big", new Uint8Array(limit + 1))).toBe(false);
    expect(a.connection.publish("big", largest)).toBe(true);
    expect(a.publish("big", "after")).toBe(true);
    await eventually(() => b.messages.length === 2, { withinMs: 10_000 });
    expect(b.messages[0]?.data.length).toBe(limit);
    expect(Buffer.compare(b.messages[0]?.data ?? new Uint8Array(), largest)).toBe(0);
    expect(b.texts[1]).toBe("after");
    expect(a.connection.epoch).toBe(1);
  });

  test("after unsubscribe nothing more comes on that subject", async () => {
    const [a, b] = await pair();
    await b.listen("t.off", "end");
    a.publish("t.off", "one");
    await eventually(() => b.messages.length === 1);
    b.connection.unsubscribe("t.off");
    await b.connection.flush();
    a.publish("t.off", "two");
    a.publish("end", "end");
    await eventually(() => b.texts.includes("end"));
    expect(b.texts).toEqual(["one", "end"]);
  });

  test("what is published after a subscriber's flush reaches it", async () => {
    const [a, b] = await pair();
    for (let round = 0; round < 20; round += 1) {
      await b.listen(`f.${round}`);
      a.publish(`f.${round}`, `${round}`);
    }
    await eventually(() => b.messages.length === 20);
  });
}

function describeProbes(connect: Connect, pair: Pair, get: Get): void {
  test("a probe of a subject that nobody subscribed is answered, with that subject", async () => {
    const a = await connect("a");
    expect(a.connection.probe("p.nobody")).toBe(true);
    await eventually(() => a.noResponders.length === 1);
    expect(a.noResponders).toEqual(["p.nobody"]);
  });

  test("a probe of a subject that somebody subscribed is not answered, and the subscriber is not told", async () => {
    const [a, b] = await pair();
    await b.listen("p.b", "p.*");
    a.connection.probe("p.b");
    a.connection.probe("q.nobody");
    a.publish("p.b", "after");
    await eventually(() => a.noResponders.includes("q.nobody") && b.messages.length === 2);
    expect(a.noResponders).toEqual(["q.nobody"]);
    expect(b.texts).toEqual(["after", "after"]);
  });

  test("probes that overlap are answered each for its own subject", async () => {
    const [a, b] = await pair();
    await b.listen("p.7");
    for (let index = 0; index < 50; index += 1) a.connection.probe(`p.${index}`);
    await eventually(() => a.noResponders.length === 49);
    expect([...a.noResponders].sort()).toEqual(
      Array.from({ length: 50 }, (_, index) => `p.${index}`)
        .filter((subject) => subject !== "p.7")
        .sort(),
    );
  });

  test("a peer whose connection is gone has no responders", async () => {
    const [a, b] = await pair();
    await b.listen("p.b");
    await get().cut("b");
    await eventually(() => {
      a.connection.probe("p.b");
      return a.noResponders.includes("p.b");
    });
  });
}

function describeReconnects(pair: Pair, get: Get): void {
  const drop = async (peer: BusPeer): Promise<void> => {
    await get().cut(peer.name);
    await eventually(() => !peer.connection.connected);
    await eventually(() => peer.statusKinds.at(-1) === "disconnected");
  };
  const restore = async (peer: BusPeer): Promise<void> => {
    await get().heal(peer.name);
    await eventually(() => peer.connection.connected, { withinMs: 10_000 });
  };

  test("while it is disconnected a connection takes nothing, and says so", async () => {
    const [a] = await pair();
    await drop(a);
    expect(a.publish("t.x", "lost")).toBe(false);
    expect(a.connection.probe("t.x")).toBe(false);
    await expect(a.connection.flush()).rejects.toMatchObject({ code: "BUS_CLOSED" });
    expect(a.statusKinds).toEqual(["disconnected"]);
  });

  test("a flush under way when the connection drops is rejected", async () => {
    const [a] = await pair();
    const outcome = await new Promise<unknown>((resolve) => {
      const again = (): void => {
        a.connection.flush().then(again, resolve);
      };
      again();
      void get().cut("a");
    });
    expect(outcome).toMatchObject({ code: "BUS_CLOSED" });
  });

  test("a reconnect raises the epoch by one, and keeps the subscriptions, also one made meanwhile", async () => {
    const [a, b] = await pair();
    await b.listen("t.kept");
    await drop(b);
    b.connection.subscribe("t.new");
    await restore(b);
    expect(b.connection.epoch).toBe(2);
    await b.connection.flush();
    a.publish("t.kept", "kept");
    a.publish("t.new", "new");
    await eventually(() => b.messages.length === 2);
    expect(b.statuses).toEqual([
      { kind: "disconnected" },
      { kind: "connected", epoch: 2, serverId: b.connection.serverId },
    ]);
  });

  test("the new epoch is told before any message of the new connection, and what was missed does not come late", async () => {
    const [a, b] = await pair();
    await b.listen("t.n");
    for (let round = 1; round <= 2; round += 1) {
      await drop(b);
      a.publish("t.n", "missed");
      await a.connection.flush();
      await get().heal("b");
      await eventually(
        () => {
          a.publish("t.n", `again ${round}`);
          return b.texts.includes(`again ${round}`);
        },
        { withinMs: 10_000 },
      );
    }
    expect(b.texts).not.toContain("missed");
    let isUp = true;
    for (const call of b.calls) {
      if (call.kind === "status") isUp = call.status.kind === "connected";
      else expect(isUp).toBe(true);
    }
    expect(b.statusKinds).toEqual(["disconnected", "connected", "disconnected", "connected"]);
    expect(b.connection.epoch).toBe(3);
  });

  test("a receiver never sees the epoch of a sender, or its count, go back", async () => {
    const [a, b] = await pair();
    await b.listen("t.seq");
    let count = 0;
    const send = (): void => {
      const text = `${a.connection.epoch} ${count}`;
      if (a.publish("t.seq", text)) count += 1;
    };
    for (let round = 0; round < 2; round += 1) {
      const target = b.messages.length + 50;
      await eventually(() => {
        send();
        return b.messages.length >= target;
      });
      // Sent in the very turn of the drop, and on until it is noticed, and through the reconnect.
      for (let extra = 0; extra < 20; extra += 1) send();
      void get().cut("a");
      await eventually(() => {
        send();
        return !a.connection.connected;
      });
      void get().heal("a");
      await eventually(
        () => {
          send();
          return b.texts.at(-1)?.startsWith(`${round + 2} `) === true;
        },
        { withinMs: 10_000 },
      );
    }
    const seen = b.texts.map((text) => text.split(" ").map(Number));
    for (const [index, [epoch = 0, number = 0]] of seen.entries()) {
      const [lastEpoch = 0, lastNumber = -1] = seen[index - 1] ?? [];
      expect(epoch).toBeGreaterThanOrEqual(lastEpoch);
      expect(number).toBeGreaterThan(lastNumber);
    }
    expect(seen.at(-1)?.[0]).toBe(3);
  });
}

function describeEnds(connect: Connect, pair: Pair, get: Get): void {
  test("close sends what is pending, is idempotent, and after it nothing is called back", async () => {
    const [a, b] = await pair();
    await Promise.all([b.listen("t.last"), a.listen("t.to-a")]);
    for (let index = 0; index < 200; index += 1) a.publish("t.last", `${index}`);
    a.connection.probe("t.nobody");
    const before = a.calls.length;
    await Promise.all([a.connection.close(), a.connection.close()]);
    await a.connection.close();
    b.publish("t.to-a", "late");
    await b.connection.flush();
    await eventually(() => b.messages.length === 200);
    expect(b.texts.at(-1)).toBe("199");
    expect(a.calls.length).toBe(before);
  });

  test("after close nothing is taken", async () => {
    const [a] = await pair();
    await a.connection.close();
    expect(a.connection.connected).toBe(false);
    expect(a.publish("t.x", "x")).toBe(false);
    expect(a.connection.probe("t.x")).toBe(false);
    a.connection.subscribe("t.x");
    a.connection.unsubscribe("t.x");
    await expect(a.connection.flush()).rejects.toMatchObject({ code: "BUS_CLOSED" });
  });

  test("after close a peer has no responders", async () => {
    const [a, b] = await pair();
    await b.listen("p.b");
    await b.connection.close();
    await eventually(() => {
      a.connection.probe("p.b");
      return a.noResponders.includes("p.b");
    });
  });

  test("a connection that is down can be closed at once", async () => {
    const [a] = await pair();
    await get().cut("a");
    await eventually(() => !a.connection.connected);
    await a.connection.close();
    const calls = a.calls.length;
    await get().heal("a");
    const c = await connect("c");
    await c.connection.flush();
    expect(a.calls.length).toBe(calls);
  });

  test("connect rejects with the reason of a signal that has aborted", async () => {
    const reason = new Error("no longer wanted");
    await expect(get().connect("late", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("peers of one server see the same server id", async () => {
    const [a, b] = await pair();
    expect(a.connection.serverId).toBe(b.connection.serverId);
    expect(a.connection.serverId).not.toBe("");
    expect([a.connection.epoch, a.connection.connected]).toEqual([1, true]);
  });
}
