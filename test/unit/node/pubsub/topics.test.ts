import { describe, expect, test } from "vitest";
import { createPubSub, type Listener, type NodeId, type PubSub } from "../../../../src/index.ts";
import {
  BusClosedError,
  InvalidArgumentError,
  NoSuchProcessError,
  NotLocalError,
} from "../../../../src/kernel/errors.ts";
import { Shells } from "../../../support/shells.ts";

/** Two nodes, a pub-sub on each, and what has come where. */
async function setUp(seed: string) {
  const shells = new Shells(seed);
  const [a, b] = await shells.startAll("a", "b");
  const got: unknown[] = [];
  const note =
    (who: string): Listener =>
    (message) =>
      void got.push([who, message]);
  const take = (): unknown[] => got.splice(0);
  return { shells, a, b, onA: createPubSub(a), onB: createPubSub(b), got, note, take };
}

describe("a topic", () => {
  test("brings what is broadcast to all its subscribers on all nodes, and to nobody else", async () => {
    const { shells, a, onA, onB, note, take } = await setUp("broadcast");
    onA.subscribe("x", note("a"));
    onB.subscribe("x", note("b"));
    onB.subscribe("y", note("other"));
    onA.subscribe(
      "x",
      a.spawn((message) => note("process")(message, { topic: "", missed: 0 })),
    );
    await shells.run(20);
    onB.broadcast("x", { n: 1 });
    await shells.run(20);
    expect(take()).toEqual(expect.arrayContaining(["a", "b", "process"].map((who) => [who, { n: 1 }])));
    onA.broadcast("nobody", 1);
    await shells.run(20);
    expect(take()).toEqual([]);
  });

  test("costs one bus message for each node that has subscribers, and its group one member there", async () => {
    const { shells, a, b, onA, onB, note } = await setUp("one each");
    for (let index = 0; index < 20; index += 1) onB.subscribe("x", note("b"));
    await shells.run(20);
    expect(a.groups.list()).toEqual(["pubsub:default:x"]);
    expect(a.groups.members("pubsub:default:x")).toHaveLength(1);
    const before = b.stats().messages.delivered;
    const frames = a.stats().frames.sent;
    onA.broadcast("x", 1);
    await shells.run(5);
    expect(b.stats().messages.delivered - before).toBe(20);
    expect(a.stats().frames.sent - frames).toBeLessThanOrEqual(2);
  });

  test("delivers twice to who subscribes twice, also a process", async () => {
    const { shells, a, onA, onB, note, take } = await setUp("twice");
    const process = a.spawn((message) => note("process")(message, { topic: "", missed: 0 }));
    const first = onA.subscribe("x", process);
    onA.subscribe("x", process);
    await shells.run(20);
    onB.broadcast("x", 1);
    await shells.run(20);
    expect(take()).toEqual([
      ["process", 1],
      ["process", 1],
    ]);
    first.unsubscribe();
    first.unsubscribe();
    onB.broadcast("x", 2);
    await shells.run(20);
    expect(take()).toEqual([["process", 2]]);
  });

  test("keeps the order of what one sender says, by a topic or to a process directly", async () => {
    const { shells, a, b, onA, onB } = await setUp("order");
    const got: unknown[] = [];
    const process = b.spawn((message) => void got.push(message));
    onB.subscribe("x", process);
    await shells.run(20);
    for (let n = 0; n < 30; n += 1) {
      if (n % 3 === 0) a.send(process, n);
      else onA.broadcast(n % 3 === 1 ? "x" : "x", n);
    }
    await shells.run(20);
    expect(got).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });

  test("reaches a new subscriber from everywhere once its node has settled", async () => {
    const { shells, a, b, onA, onB, note, take } = await setUp("settled");
    for (let round = 0; round < 20; round += 1) {
      const [here, there, node] = round % 2 ? ([onA, onB, a] as const) : ([onB, onA, b] as const);
      using _subscription = here.subscribe(`x${round}`, note("new"));
      await shells.until(node.settled());
      there.broadcast(`x${round}`, round);
      await shells.run(20);
      expect(take()).toEqual([["new", round]]);
    }
  });

  test("is local or goes to one node when asked to; to nobody, if that is not known", async () => {
    const { shells, b, onA, onB, note, take } = await setUp("local");
    onA.subscribe("x", note("a"));
    onB.subscribe("x", note("b"));
    await shells.run(20);
    onA.localBroadcast("x", "local");
    onA.directBroadcast(b.id, "x", "direct");
    onA.directBroadcast("gone@0mwqbp9pz0tnbw4cn" as NodeId, "x", "lost");
    await shells.run(20);
    expect(take()).toEqual([
      ["a", "local"],
      ["b", "direct"],
    ]);
    expect(() => onA.directBroadcast("nonsense" as NodeId, "x", 1)).toThrow(InvalidArgumentError);
  });

  test("of another name is another one, and two pub-subs of one name on one node both get everything", async () => {
    const { shells, a, b, onA, note, take } = await setUp("names");
    const other = createPubSub(b, { name: "other" });
    const again = createPubSub(a);
    other.subscribe("x", note("other"));
    again.subscribe("x", note("again"));
    onA.subscribe("x", note("a"));
    await shells.run(20);
    createPubSub(b).broadcast("x", 1);
    await shells.run(20);
    expect(take()).toEqual([
      ["again", 1],
      ["a", 1],
    ]);
  });

  test("of any Unicode text up to its length will do", async () => {
    const { shells, onA, onB, note, take } = await setUp("hostile");
    const topics = ["__proto__", "a.b", ">", "*", "x\r\ny", "pubsub:default:x", "\u{1f600}".repeat(100)];
    for (const topic of topics) onB.subscribe(topic, note(topic));
    await shells.run(20);
    for (const topic of topics) onA.broadcast(topic, 1);
    await shells.run(20);
    expect(take()).toEqual(topics.map((topic) => [topic, 1]));
    for (const wrong of ["", "x".repeat(401), "\ud800", 7])
      expect(() => onA.broadcast(wrong as string, 1)).toThrow(InvalidArgumentError);
  });
});

describe("who says it", () => {
  test("does not get it itself: a process with none of its subscriptions, or one subscription", async () => {
    const { shells, a, onA, onB, note, take } = await setUp("from");
    const process = a.spawn((message) => note("process")(message, { topic: "", missed: 0 }));
    onA.subscribe("x", process);
    onA.subscribe("x", process);
    const listening = onA.subscribe("x", note("listener"));
    const senders: unknown[] = [];
    onB.subscribe("x", (_message, { from }) => void senders.push(from));
    await shells.run(20);
    onA.broadcastFrom(process, "x", 1);
    onA.broadcastFrom(listening, "x", 2);
    await shells.run(20);
    expect(take()).toEqual([
      ["listener", 1],
      ["process", 2],
      ["process", 2],
    ]);
    expect(senders).toEqual([process.pid, undefined]);
  });

  test("is a process of this node", async () => {
    const { a, b, onA } = await setUp("from elsewhere");
    expect(() => onA.broadcastFrom(b.spawn(), "x", 1)).toThrow(NotLocalError);
    expect(() => onA.subscribe("x", b.spawn())).toThrow(NotLocalError);
    const dead = a.spawn();
    dead.exit();
    expect(() => onA.subscribe("x", dead)).toThrow(NoSuchProcessError);
  });
});

describe("a subscription ends", () => {
  async function goesOnAlone(
    seed: string,
    end: (onA: PubSub, shells: Shells, listener: Listener) => Promise<void> | void,
  ): Promise<void> {
    const { shells, a, b, onA, onB, got, note } = await setUp(seed);
    await end(onA, shells, note("ended"));
    await shells.run(50);
    onB.broadcast("x", 1);
    onA.broadcast("x", 1);
    await shells.run(50);
    expect(got).toEqual([]);
    expect([a.groups.list(), b.groups.list()]).toEqual([[], []]);
    expect(a.stats().bugs).toBe(0);
  }

  test("by hand", () =>
    goesOnAlone("by hand", (onA, _shells, listener) => onA.subscribe("x", listener).unsubscribe()));

  test("by disposal", () =>
    goesOnAlone("by disposal", (onA, _shells, listener) => {
      using _subscription = onA.subscribe("x", listener);
    }));

  test("by its signal, also one that was aborted before", () =>
    goesOnAlone("by signal", async (onA, shells, listener) => {
      const controller = new AbortController();
      onA.subscribe("x", listener, { signal: controller.signal });
      await shells.run(20);
      controller.abort();
      onA.subscribe("x", listener, { signal: controller.signal });
    }));

  test("with its process, in the same turn", async () => {
    const { shells, a, b, onA, onB } = await setUp("with its process");
    const process = a.spawn();
    onA.subscribe("x", process);
    onA.subscribe("y", process);
    await shells.run(20);
    expect(b.groups.list()).toHaveLength(2);
    process.exit();
    expect(a.groups.list()).toEqual([]);
    const undelivered = a.stats().messages.undelivered;
    onA.localBroadcast("x", 1);
    await shells.run(20);
    expect(b.groups.list()).toEqual([]);
    onB.broadcast("x", 1);
    await shells.run(20);
    expect(a.stats().messages.undelivered).toBe(undelivered);
  });

  test("for a process, which still handles what has come into its mailbox", async () => {
    const { shells, a, onA } = await setUp("what has come");
    const got: unknown[] = [];
    const process = a.spawn((message) => void got.push(message));
    const subscription = onA.subscribe("x", process);
    onA.broadcast("x", 1);
    subscription.unsubscribe();
    onA.broadcast("x", 2);
    await shells.run(20);
    expect(got).toEqual([1]);
  });

  test("in the middle of a message: nothing that waits is handled", async () => {
    const { shells, onA } = await setUp("in the middle");
    const got: unknown[] = [];
    const subscription = onA.subscribe("x", (message) => {
      got.push(message);
      subscription.unsubscribe();
    });
    for (let n = 0; n < 3; n += 1) onA.broadcast("x", n);
    await shells.run(20);
    expect(got).toEqual([0]);
  });
});

describe("a slow listener", () => {
  test("has a bound, is told how many it missed, and holds nobody up", async () => {
    const { shells, a, onA, onB, got, note } = await setUp("slow");
    let goOn: () => void = () => undefined;
    const seen: unknown[] = [];
    onA.subscribe(
      "x",
      (message, { missed }) => {
        seen.push([message, missed]);
        return new Promise<void>((resolve) => {
          goOn = resolve;
        });
      },
      { mailbox: 3 },
    );
    onA.subscribe("x", note("fast"));
    await shells.run(20);
    for (let n = 0; n < 10; n += 1) onB.broadcast("x", n);
    await shells.run(20);
    expect(got).toHaveLength(10);
    expect(seen).toEqual([[0, 0]]);
    expect(a.stats().messages.mailboxFull).toBeGreaterThan(0);
    const missed = a.stats().messages.mailboxFull;
    expect(shells.log.some(({ message }) => message.startsWith("a mailbox is full"))).toBe(true);
    while (seen.length < 10 - missed) {
      goOn();
      await shells.run(20);
    }
    goOn();
    onB.broadcast("x", "later");
    await shells.run(20);
    const inTime = Array.from({ length: 10 - missed }, (_, n) => [n, 0]);
    expect(seen).toEqual([...inTime, ["later", missed]]);
  });

  test("that fails is counted, logged with its topic, and goes on", async () => {
    const { shells, a, onA } = await setUp("fails");
    const got: unknown[] = [];
    const error = new Error("no");
    onA.subscribe("x", (message) => {
      got.push(message);
      if (message === 1) throw error;
      return Promise.reject(error);
    });
    for (const message of [1, 2, 3]) onA.broadcast("x", message);
    await shells.run(20);
    expect(got).toEqual([1, 2, 3]);
    expect(a.stats().messages.handlerErrors).toBe(3);
    expect(shells.log.filter(({ level }) => level === "warn")).toEqual([
      { level: "warn", message: "a listener failed", details: { topic: "x", error } },
    ]);
  });

  test("that fails when its subscription has ended concerns nobody", async () => {
    const { shells, a, onA } = await setUp("fails late");
    const failing: ((error: Error) => void)[] = [];
    const late = onA.subscribe("x", () => new Promise((_resolve, reject) => failing.push(reject)));
    const atOnce = onA.subscribe("x", () => {
      atOnce.unsubscribe();
      throw new Error("no");
    });
    onA.broadcast("x", 1);
    await shells.run(20);
    late.unsubscribe();
    for (const fail of failing) fail(new Error("no"));
    await shells.run(20);
    expect(failing).toHaveLength(1);
    expect(a.stats().messages.handlerErrors).toBe(0);
    expect(shells.log.filter(({ level }) => level === "warn")).toEqual([]);
  });
});

test("there are bounds: subscriptions, and the processes that listeners are", async () => {
  const shells = new Shells("bounds");
  const a = await shells.start("a", { limits: { subscriptions: 3, processes: 3 } });
  const onA = createPubSub(a);
  const process = a.spawn();
  onA.subscribe("x", process);
  const last = onA.subscribe("x", () => 1);
  expect(() => onA.subscribe("x", () => 1)).toThrow(/limits\.processes/);
  onA.subscribe("x", process);
  expect(() => onA.subscribe("x", process)).toThrow(/limits\.subscriptions/);
  expect(a.stats().subscriptions).toBe(3);
  last.unsubscribe();
  onA.subscribe("y", process);
  process.exit();
  expect(a.stats().subscriptions).toBe(0);
});

test("who finds no room leaves nothing behind, and is served when there is some", async () => {
  const shells = new Shells("no room");
  const a = await shells.start("a", { limits: { processes: 2 } });
  const [first, second] = [a.spawn(), a.spawn()];
  const onA = createPubSub(a);
  expect(() => onA.subscribe("x", first)).toThrow(/limits\.processes/);
  expect(a.stats().subscriptions).toBe(0);
  second.exit();
  expect(() => onA.subscribe("x", () => 1)).toThrow(/limits\.processes/);
  expect(a.stats().processes).toBe(1);
  onA.subscribe("x", first);
  expect(a.groups.list()).toEqual(["pubsub:default:x"]);
  expect(a.stats().subscriptions).toBe(1);
});

test("pub-subs that come and go take nothing for good", async () => {
  const { a } = await setUp("come and go");
  for (let round = 0; round < 100; round += 1) {
    const pubsub = createPubSub(a, { name: `n${round % 3}` });
    const subscriptions = [pubsub.subscribe("x", () => 1), pubsub.subscribe("y", () => 1)];
    for (const each of subscriptions) each.unsubscribe();
  }
  expect(a.stats()).toMatchObject({ processes: 0, subscriptions: 0, bugs: 0 });
});

test("options and nodes that are none are refused, and everything after the stop", async () => {
  const { shells, a, onA } = await setUp("refused");
  expect(() => createPubSub({} as never)).toThrow(InvalidArgumentError);
  for (const options of [{ name: "" }, { name: "a:b" }, { nam: "x" }, 7])
    expect(() => createPubSub(a, options as never)).toThrow(InvalidArgumentError);
  expect(() => onA.subscribe("x", 7 as never)).toThrow(InvalidArgumentError);
  expect(() => onA.subscribe("x", () => 1, { mailbox: 0 })).toThrow(InvalidArgumentError);
  expect(() => onA.subscribe("x", a.spawn(), { mailbox: 5 })).toThrow(InvalidArgumentError);
  expect(() => onA.subscribe("x", () => 1, { mailbx: 1 } as never)).toThrow(InvalidArgumentError);
  const subscription = onA.subscribe("x", () => 1);
  await shells.until(a.stop());
  subscription.unsubscribe();
  expect(() => onA.broadcast("x", 1)).toThrow(BusClosedError);
  expect(() => onA.subscribe("x", () => 1)).toThrow(BusClosedError);
  expect(() => createPubSub(a)).toThrow(BusClosedError);
});
