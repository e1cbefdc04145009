import { describe, expect, test } from "vitest";
import type { BusConnection } from "../../../src/bus/port.ts";
import { LimitExceededError } from "../../../src/kernel/errors.ts";
import { HybridClock } from "../../../src/kernel/hlc.ts";
import { makeIncarnation, makeNodeId, type NodeId } from "../../../src/kernel/ids.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import {
  FrameWriter,
  RepeatedReader,
  readFrame,
  readSegments,
  STATE,
  type Stream,
  USER,
} from "../../../src/node/frame.ts";
import { Outbox } from "../../../src/node/outbox.ts";
import { Subjects } from "../../../src/node/subjects.ts";

const id = (name: string): NodeId => makeNodeId(name, makeIncarnation(1_700_000_000_000, [1, 2]));
const [self, b, c] = [id("a"), id("b"), id("c")];

interface Flush {
  resolve(): void;
  reject(error: Error): void;
}

/** A connection that writes down what it is given, and confirms on command. */
class FakeConnection implements BusConnection {
  readonly serverId = "s";
  epoch = 1;
  connected = true;
  maxPayload = 1_000_000;
  readonly published: { readonly subject: string; readonly data: Uint8Array }[] = [];
  readonly flushes: Flush[] = [];

  subscribe(): void {}
  unsubscribe(): void {}

  publish(subject: string, data: Uint8Array): boolean {
    if (!this.connected) return false;
    this.published.push({ subject, data });
    return true;
  }

  probe(): boolean {
    return this.connected;
  }

  flush(): Promise<void> {
    return new Promise((resolve, reject) => this.flushes.push({ resolve, reject }));
  }

  async close(): Promise<void> {}
}

function setUp(outboundBytes = 1_000_000) {
  const connection = new FakeConnection();
  const clock = new VirtualClock();
  const subjects = new Subjects("c", self);
  const hybrid = new HybridClock();
  const counts = { pending: 0, stateDropped: 0, userDropped: 0 };
  const written: (() => void)[] = [];
  const outbox = new Outbox({
    connection,
    subjects,
    clock,
    outboundBytes,
    writer: new FrameWriter(subjects.clusterHash, self, undefined),
    stamp: () => hybrid.next(clock.now()),
    onPending: () => {
      counts.pending += 1;
    },
    fetchState: () => {
      for (const send of written.splice(0)) send();
    },
    onStateDropped: (messages) => {
      counts.stateDropped += messages;
    },
    onUserDropped: (messages) => {
      counts.userDropped += messages;
    },
  });
  const names = new Map([
    [subjects.node(b), "b"],
    [subjects.node(c), "c"],
    [subjects.all, "all"],
    [subjects.scope("s"), "scope"],
  ]);
  /** The frames that left: where to, their number, and the messages in them. */
  const sent = () =>
    connection.published.map(({ subject, data }) => {
      const frame = readFrame(data);
      if (typeof frame === "string") throw new Error(frame);
      return `${names.get(subject)} ${frame.sequence}: ${messagesIn(frame.body).join(" ")}`;
    });
  /** What a machine writes, and sends when it is asked. */
  const write = (text: string) => {
    written.push(() => outbox.sendWide(subjects.scope("s"), STATE, bytes(text)));
    outbox.expectState();
  };
  return { clock, connection, counts, outbox, sent, subjects, write };
}

function messagesIn(body: Uint8Array): string[] {
  return (readSegments(body) ?? []).flatMap(({ family, content }) => {
    if (family !== 2) return [Buffer.from(content).toString()];
    const reader = RepeatedReader.over(content);
    if (reader === undefined) throw new Error("malformed");
    const found = [`[${Buffer.from(reader.prelude)}]`];
    while (reader.next()) found.push(Buffer.from(content.subarray(reader.start, reader.end)).toString());
    return found;
  });
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const repeated = (prelude: string): Stream => ({ family: 2, prelude: bytes(prelude) });

describe("frames", () => {
  test("what is sent in one turn shares a frame for each destination", () => {
    const { counts, outbox, sent } = setUp();
    for (const text of ["1", "2", "3"]) {
      outbox.sendTo(b, USER, bytes(text));
      outbox.sendTo(c, USER, bytes(text));
    }
    expect(sent()).toEqual([]);
    expect(counts.pending).toBe(1);
    outbox.flush();
    expect(sent()).toEqual(["b 1: 123", "c 2: 123"]);
    outbox.flush();
    expect(sent()).toHaveLength(2);
  });

  test("messages that differ in their payloads only say what they have in common once", () => {
    const { outbox, sent } = setUp();
    const [g, h] = [repeated("g"), repeated("h")];
    outbox.sendTo(b, g, bytes("1"));
    outbox.sendTo(b, g, bytes("2"));
    outbox.sendTo(b, h, bytes("3"));
    outbox.sendTo(b, STATE, bytes("4"));
    outbox.sendTo(b, h, bytes("5"));
    outbox.flush();
    expect(sent()).toEqual(["b 1: [g] 1 2 [h] 3 4 [h] 5"]);
  });

  test("a broadcast does not overtake what was sent to one before, nor the other way round", () => {
    const { outbox, sent, subjects } = setUp();
    outbox.sendTo(b, USER, bytes("1"));
    outbox.sendTo(c, USER, bytes("2"));
    outbox.sendWide(subjects.all, STATE, bytes("3"));
    outbox.sendWide(subjects.all, USER, bytes("4"));
    outbox.sendWide(subjects.scope("s"), USER, bytes("5"));
    outbox.sendTo(b, USER, bytes("6"));
    outbox.sendWide(subjects.all, USER, bytes("7"));
    outbox.flush();
    expect(sent()).toEqual(["b 1: 1", "c 2: 2", "all 3: 3 4", "scope 4: 5", "b 5: 6", "all 6: 7"]);
  });

  test("what was written goes out once for the whole turn, but ahead of what a user says after it", () => {
    const { outbox, sent, write } = setUp();
    write("1");
    outbox.sendTo(b, STATE, bytes("2"));
    write("3");
    outbox.flush();
    write("4");
    outbox.sendTo(b, USER, bytes("5"));
    write("6");
    outbox.flush();
    expect(sent()).toEqual(["b 1: 2", "scope 2: 13", "scope 3: 4", "b 4: 5", "scope 5: 6"]);
  });

  test("a full frame leaves at once, and the rest follows in order", () => {
    const { connection, outbox, sent, subjects } = setUp();
    connection.maxPayload = 2_000;
    for (let number = 0; number < 10; number += 1) outbox.sendTo(b, USER, bytes(`${number}`.repeat(500)));
    expect(sent().length).toBeGreaterThan(2);
    outbox.flush();
    expect(
      sent()
        .map((frame) => frame.replace(/^b \d+: /, ""))
        .join(""),
    ).toMatch(/^0+1+2+3+4+5+6+7+8+9+$/);
    for (const { data } of connection.published) expect(data.length).toBeLessThanOrEqual(2_000);
    for (let number = 0; number < 10; number += 1)
      outbox.sendWide(subjects.all, repeated("g"), bytes("x".repeat(500)));
    outbox.flush();
    for (const { data } of connection.published) expect(data.length).toBeLessThanOrEqual(2_000);
  });

  test("a message that the bus cannot carry is refused", () => {
    const { connection, outbox } = setUp();
    connection.maxPayload = 2_000;
    expect(() => outbox.checkRoom(USER, new Uint8Array(1_500), 1)).not.toThrow();
    expect(() => outbox.checkRoom(USER, new Uint8Array(2_000), 1)).toThrow(/messageBytes/);
  });
});

describe("while the bus is away", () => {
  test("messages of users wait, in order; state is dropped and counted", () => {
    const { connection, counts, outbox, sent, subjects } = setUp();
    outbox.sendTo(b, STATE, bytes("s1"));
    outbox.sendTo(b, USER, bytes("1"));
    connection.connected = false;
    outbox.suspend();
    outbox.sendTo(b, STATE, bytes("s2"));
    outbox.sendWide(subjects.all, STATE, bytes("s3"));
    outbox.sendWide(subjects.scope("s"), USER, bytes("2"));
    outbox.sendTo(b, USER, bytes("3"));
    outbox.flush();
    expect(sent()).toEqual([]);
    expect(counts.stateDropped).toBe(3);
    connection.connected = true;
    connection.epoch = 2;
    outbox.sendTo(b, USER, bytes("4"));
    outbox.flush();
    expect(sent()).toEqual([]);
    expect(outbox.isFlowing).toBe(false);
    outbox.release();
    outbox.sendTo(b, USER, bytes("5"));
    outbox.flush();
    expect(sent()).toEqual(["b 1: 1", "scope 2: 2", "b 3: 3", "b 4: 4", "b 5: 5"]);
  });

  test("what was not confirmed is sent again when the others are back, under its old number, without its state", async () => {
    const { clock, connection, outbox, sent } = setUp();
    outbox.sendTo(b, USER, bytes("1"));
    outbox.flush();
    clock.advanceBy(200);
    connection.flushes[0]?.resolve();
    await Promise.resolve();
    await Promise.resolve();
    outbox.sendTo(b, STATE, bytes("s"));
    outbox.sendTo(b, USER, bytes("2"));
    outbox.flush();
    outbox.sendTo(b, STATE, bytes("s"));
    outbox.flush();
    outbox.sendTo(b, USER, bytes("3"));
    outbox.flush();
    connection.published.length = 0;
    connection.connected = false;
    // Before anybody is told that the connection is gone.
    outbox.sendTo(b, USER, bytes("4"));
    outbox.flush();
    outbox.suspend();
    connection.connected = true;
    outbox.sendTo(b, USER, bytes("5"));
    outbox.flush();
    expect(sent()).toEqual([]);
    outbox.release();
    expect(sent()).toEqual(["b 2: 2", "b 4: 3", "b 5: 4", "b 6: 5"]);
  });

  test("state goes out as soon as the bus is back, users' messages when the others are back too", () => {
    const { connection, outbox, sent } = setUp();
    outbox.suspend();
    connection.epoch = 2;
    outbox.sendTo(b, USER, bytes("1"));
    outbox.sendTo(b, STATE, bytes("s"));
    outbox.sendTo(b, USER, bytes("2"));
    outbox.flush();
    expect(sent()).toEqual(["b 1: s"]);
    outbox.release();
    expect(sent()).toEqual(["b 1: s", "b 2: 1 2"]);
  });

  test("what waits for a node that is gone is given up", () => {
    const { connection, counts, outbox, sent } = setUp();
    connection.connected = false;
    outbox.sendTo(b, USER, bytes("1"));
    outbox.flush();
    outbox.sendTo(c, USER, bytes("2"));
    outbox.flush();
    outbox.forget(b);
    connection.connected = true;
    outbox.release();
    expect(sent()).toEqual(["c 1: 2"]);
    expect(counts.userDropped).toBe(1);
  });
});

describe("the limit", () => {
  test("counts what is open, what waits, and what is not confirmed", async () => {
    const { clock, connection, outbox } = setUp(10_000);
    outbox.sendTo(b, USER, new Uint8Array(3_000));
    outbox.flush();
    outbox.sendTo(b, USER, new Uint8Array(3_000));
    expect(outbox.queuedBytes).toBeGreaterThan(6_000);
    expect(() => outbox.checkRoom(USER, new Uint8Array(4_000), 1)).toThrow(LimitExceededError);
    expect(() => outbox.checkRoom(USER, new Uint8Array(1_000), 4)).toThrow(/outboundBytes/);
    outbox.flush();
    clock.advanceBy(1_000);
    for (const flush of connection.flushes) flush.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(outbox.queuedBytes).toBe(0);
    expect(() => outbox.checkRoom(USER, new Uint8Array(4_000), 1)).not.toThrow();
  });

  test("leaves room for state, and bounds that too", () => {
    const { counts, outbox } = setUp(10_000);
    outbox.sendTo(b, USER, new Uint8Array(9_990));
    outbox.sendTo(b, STATE, new Uint8Array(1_000));
    expect(counts.stateDropped).toBe(0);
    outbox.sendTo(b, STATE, new Uint8Array(2_000));
    expect(counts.stateDropped).toBe(1);
  });

  test("confirm resolves when the bus has taken everything, and rejects while it is away", async () => {
    const { connection, outbox } = setUp();
    outbox.sendTo(b, USER, bytes("1"));
    const confirmed = outbox.confirm();
    expect(connection.published).toHaveLength(1);
    connection.flushes[0]?.resolve();
    await confirmed;
    outbox.sendTo(b, USER, bytes("2"));
    const dropped = outbox.confirm();
    connection.flushes[1]?.reject(new Error("dropped"));
    await expect(dropped).rejects.toThrow();
    connection.connected = false;
    outbox.suspend();
    await expect(outbox.confirm()).rejects.toThrow();
  });

  test("little traffic is confirmed now and then, and closing leaves no timer", () => {
    const { clock, connection, outbox } = setUp();
    for (let index = 0; index < 5; index += 1) {
      outbox.sendTo(b, USER, bytes("x"));
      outbox.flush();
    }
    expect(connection.flushes).toHaveLength(0);
    clock.advanceBy(100);
    expect(connection.flushes).toHaveLength(1);
    outbox.sendTo(b, USER, bytes("x"));
    outbox.flush();
    expect(clock.pending).toBe(1);
    outbox.close();
    expect(clock.pending).toBe(0);
  });
});
