import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makePid, nodeOfPid, type Pid, serialOfPid } from "../../../src/kernel/ids.ts";
import { pack } from "../../../src/kernel/msgpack.ts";
import { SeededRandom } from "../../../src/kernel/random.ts";
import { MemoryLeases } from "../../../src/lease/memory/store.ts";
import { REPEATED_FAMILY, STATE, type Stream, USER } from "../../../src/node/frame.ts";
import { repeatedStream, userMessages } from "../../../src/node/message-wire.ts";
import { type ClusterMessage, clusterMessages } from "../../../src/node/protocol.ts";
import { Shells } from "../../support/shells.ts";

/** A member of the cluster that has gone bad, and a sound node with a process that writes down what it gets. */
async function setUp(seed: string) {
  const shells = new Shells(seed);
  const bad = await shells.startShell("bad");
  const good = await shells.start("good");
  const seen: unknown[] = [];
  const process = good.spawn((message, { from }) => {
    seen.push(from === undefined ? message : [message, from]);
    return "answer";
  });
  good.groups.join("g", process);
  const say = async (stream: Stream, bytes: Uint8Array): Promise<void> => {
    bad.parts.core.outbox.sendTo(good.id, stream, bytes);
    await shells.run(10);
  };
  const to = serialOfPid(process.pid);
  return { bad, good, process, say, seen, shells, to };
}

/** Of what is for a pid. */
const holding = undefined;

describe("a member that has gone bad", () => {
  test("cannot speak for the processes of others", async () => {
    const { bad, good, process, say, seen, to } = await setUp("impostor");
    const own = makePid(bad.parts.core.self, 1);
    const payload = pack("hi");
    for (const from of [process.pid, own]) {
      await say(repeatedStream({ kind: "send", to, from, holding }), payload);
      await say(
        repeatedStream({ kind: "group", scope: "default", group: "g", from, except: undefined }),
        payload,
      );
      await say(
        USER,
        userMessages.encode({ kind: "call", to, call: 1, timeoutMs: 100, payload, from, holding }),
      );
    }
    expect(seen).toEqual([
      ["hi", own],
      ["hi", own],
      ["hi", own],
    ]);
    expect(good.stats().messages.malformed).toBe(3);
  });

  test("cannot answer calls that were made to others", async () => {
    const { bad, good, say, shells } = await setUp("false answer");
    const stuck = good.spawn(() => new Promise(() => {}));
    const call = good.call(stuck, 1, { timeoutMs: 500 }).catch((error: unknown) => error);
    for (let id = 0; id < 20; id += 1) {
      await say(USER, userMessages.encode({ kind: "reply", call: id, payload: pack("false") }));
    }
    expect(await shells.until(call)).toMatchObject({ code: "TIMEOUT" });
    expect(good.stats().messages.lateReplies).toBe(20);
    expect(bad.phase).toBe("running");
  });

  test("cannot harm a node by any bytes: they are dropped and counted, and what is sound arrives", async () => {
    const { good, say, seen, shells, to } = await setUp("hostile bytes");
    const sound = repeatedStream({ kind: "send", to, from: undefined, holding });
    const streams: Stream[] = [
      USER,
      STATE,
      sound,
      { family: REPEATED_FAMILY, prelude: new Uint8Array([0x93, 1]) },
    ];
    const anyStream = fc.oneof(
      fc.constantFrom(...streams),
      fc.uint8Array({ maxLength: 40 }).map((prelude) => ({ family: REPEATED_FAMILY, prelude }) as const),
      fc.integer({ min: 3, max: 255 }).map((family) => ({ family: family as 2, prelude: new Uint8Array(0) })),
    );
    // Wrong UTF-8 in a text, and no end of nesting, are among what msgpack bytes can hold.
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.anything().map((value) => {
        try {
          return pack(value);
        } catch {
          return new Uint8Array([0xc1]);
        }
      }),
      fc
        .tuple(fc.integer({ min: 80, max: 99 }), fc.array(fc.anything(), { maxLength: 6 }))
        .map(([code, rest]) => {
          try {
            return pack([code, ...rest]);
          } catch {
            return new Uint8Array([0x91]);
          }
        }),
    );
    await fc.assert(
      fc.asyncProperty(anyStream, anyBytes, async (stream, bytes) => {
        await say(stream, bytes);
      }),
      { numRuns: 400 },
    );
    expect(good.stats()).toMatchObject({ bugs: 0, processes: 1 });
    seen.length = 0;
    await say(sound, pack("still here"));
    expect(seen).toEqual(["still here"]);
    expect(shells.log.filter((line) => line.level === "error")).toEqual([]);
  });

  test("cannot answer questions about leases that it was not asked, and is told the truth about others'", async () => {
    const shells = new Shells("lease lies");
    const { clock } = shells;
    const leases = new MemoryLeases({ clock, random: new SeededRandom("lease lies") });
    const bad = await shells.startShell("bad");
    const good = await shells.start("good", { leases });
    const told = await shells.until(good.strictNames.register("x", good.spawn()));
    const say = async (message: ClusterMessage): Promise<void> => {
      bad.parts.core.outbox.sendTo(good.id, STATE, clusterMessages.encode(message));
      await shells.run(10);
    };
    for (let question = 0; question < 20; question += 1) {
      await say({ kind: "leaseAnswer", question, holds: true });
    }
    await say({ kind: "leaseTurn", scope: "default", name: "x" });
    await say({ kind: "leaseTurn", scope: "no such", name: "y" });
    expect(good.stats()).toMatchObject({ messages: { unasked: 20, malformed: 0 }, bugs: 0 });
    const token = Number(told.token);
    for (const wrong of [{ name: "y" }, { scope: "s" }, { token: token + 1 }, { claim: 99_999 }]) {
      const question = {
        kind: "leaseAsk",
        question: 1,
        scope: "default",
        name: "x",
        claim: 1,
        token,
      } as const;
      await say({ ...question, ...wrong });
    }
    // To a node without lease servers: each of the answers.
    expect(bad.parts.core.counts.messages.unasked).toBe(4);
    expect(told.isHeld()).toBe(true);
  });

  test("cannot make anybody read lease messages that are malformed", async () => {
    const { good, say } = await setUp("malformed leases");
    const malformed = [
      [100, -1, "default", "x", 1, 1],
      [100, 1, "", "x", 1, 1],
      [100, 1, "default", "x".repeat(513), 1, 1],
      [100, 1, "default", "x", 1, 2 ** 53],
      [101, 1, "yes"],
      [102, "default"],
    ];
    for (const message of malformed) await say(STATE, pack(message));
    expect(good.stats()).toMatchObject({ messages: { malformed: malformed.length, unasked: 0 }, bugs: 0 });
  });

  test("floods one mailbox, and the rest goes on", async () => {
    const { bad, good, seen, shells } = await setUp("flood");
    const slow = good.spawn(() => new Promise(() => {}), { mailbox: 5 });
    const stream = repeatedStream({ kind: "send", to: serialOfPid(slow.pid), from: undefined, holding });
    for (let count = 0; count < 1_000; count += 1) bad.parts.core.outbox.sendTo(good.id, stream, pack(count));
    good.groups.publish("g", "fine");
    await shells.run(20);
    // One is being handled, and four more wait.
    expect(good.stats()).toMatchObject({ messages: { mailboxFull: 995 }, mailboxes: 4 });
    expect(seen).toEqual(["fine"]);
    expect(shells.log.filter((line) => line.message.includes("mailbox is full"))).toHaveLength(1);
    good.send(slow, 1);
    await expect(shells.until(good.call(slow, 1))).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
      limit: "mailbox",
    });
  });
});

describe("a stranger", () => {
  test("that never comes up is not listened to, and what it said is forgotten", async () => {
    const shells = new Shells("stranger");
    const good = await shells.start("good");
    const seen: unknown[] = [];
    const process = good.spawn((message) => void seen.push(message));
    const other = await shells.startShell("other");
    const node = other.parts.core.self;
    shells.network.partition([["good"], ["other"]]);
    await shells.eventually(() => good.nodes().length === 1);
    const pid: Pid = process.pid;
    // It hears nothing, so it cannot take part in a greeting, but it is heard.
    expect(nodeOfPid(pid)).toBe(good.id);
    shells.network.heal();
    shells.network.pause("other");
    const stream = repeatedStream({ kind: "send", to: serialOfPid(pid), from: undefined, holding });
    other.parts.core.outbox.sendTo(good.id, stream, pack("boo"));
    other.parts.core.outbox.flush();
    await shells.run(1_000);
    expect(good.nodes().some((view) => view.id === node)).toBe(false);
    expect(seen).toEqual([]);
    await shells.run(3_000);
    expect(good.stats().messages.tooEarly).toBe(1);
  });
});
