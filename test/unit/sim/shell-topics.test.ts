import { afterEach, describe, expect, test, vi } from "vitest";
import { FrameGate } from "../../../src/node/frame-gate.ts";
import { GroupMessaging } from "../../../src/node/group-messaging.ts";
import { LocalProcess } from "../../../src/node/process.ts";
import { NodePubSub } from "../../../src/node/pubsub/node-pubsub.ts";
import { NodeTopics } from "../../../src/node/pubsub/node-topics.ts";
import type { Listener } from "../../../src/node/pubsub/types.ts";
import { RunningNode } from "../../../src/node/running-node.ts";
import { Subscriptions } from "../../../src/pubsub/subscriptions.ts";
import { type Plan, parsePlan } from "../../../src/sim/plan.ts";
import { generateForShells } from "../../../src/sim/shell/generate.ts";
import { runShellSeed } from "../../../src/sim/shell/run.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

type Operations = Plan["operations"];

const room = { process: 0, topic: "room" } as const;

/** Everybody subscribes, some go, and both nodes speak, in all ways. */
const TALK: Plan = {
  format: 1,
  seed: "talk in topics",
  nodes: 2,
  processes: 2,
  delayMs: [1, 5],
  turnMs: [0, 0],
  probeEveryMs: 250,
  resolver: "oldest",
  resolverMs: [0, 1],
  restAtMs: 12_000,
  operations: [
    ...[0, 1].flatMap(
      (node): Operations => [
        { kind: "subscribe", atMs: 3_000, node, ...room, as: "process" },
        { kind: "subscribe", atMs: 3_000, node, ...room, as: "listener" },
        { kind: "subscribe", atMs: 3_000, node, ...room, as: "slow" },
        { kind: "subscribe", atMs: 3_100, node, ...room, as: "process" },
        { kind: "unsubscribe", atMs: 8_005, node, ...room, as: "process", by: "hand" },
        { kind: "unsubscribe", atMs: 8_005, node, ...room, as: "listener", by: "signal" },
      ],
    ),
    ...[0, 1].flatMap(
      (node): Operations =>
        Array.from({ length: 12 }, (_, index) => ({
          kind: "broadcast" as const,
          atMs: 6_000 + index * 200,
          node,
          process: index % 4 === 1 ? 0 : index % 2,
          topic: index === 5 ? "hall" : "room",
          how: (["all", "others", "local", "direct"] as const)[index % 4] ?? "all",
          to: 1 - node,
          times: index === 8 ? 9 : 2,
        })),
    ),
  ],
  faults: [],
};

async function brokenBy(plan: Plan): Promise<string | undefined> {
  return (await runShellSeed(plan)).violation?.invariant;
}

test("topics on real nodes keep every rule, and come by what their rules are about", async () => {
  const { violation, marks } = await runShellSeed(parsePlan(JSON.stringify(TALK)));
  expect(violation).toBe(undefined);
  for (const mark of [
    ...["all", "others", "local", "direct"].map((how) => `broadcasts: ${how}`),
    ...["process", "listener", "slow"].map((as) => `subscribes: ${as}`),
    "unsubscribes: hand",
    "unsubscribes: signal",
    "who subscribes twice hears twice",
    "a slow listener is told what it missed",
  ])
    expect(marks).toContain(mark);
});

describe("topics on real nodes break a rule", () => {
  test("when what is broadcast changes places", async () => {
    const { broadcast } = NodePubSub.prototype;
    let kept: (() => void) | undefined;
    vi.spyOn(NodePubSub.prototype, "broadcast").mockImplementation(function (this: NodePubSub, ...what) {
      const later = kept;
      kept = later === undefined ? () => broadcast.apply(this, what) : undefined;
      if (later === undefined) return;
      broadcast.apply(this, what);
      later();
    });
    expect(await brokenBy(TALK)).toBe("messages of a pair keep their order and come once");
  });

  test("when it comes twice", async () => {
    const { receive } = GroupMessaging.prototype;
    vi.spyOn(GroupMessaging.prototype, "receive").mockImplementation(function (
      this: GroupMessaging,
      ...what
    ) {
      receive.apply(this, what);
      receive.apply(this, what);
    });
    expect(await brokenBy(TALK)).toBe("what is broadcast comes once for each subscription");
  });

  test("when the gate lets copies through", async () => {
    const { admit } = FrameGate.prototype;
    const admitted = new WeakMap<Uint8Array, NonNullable<ReturnType<FrameGate["admit"]>>>();
    vi.spyOn(FrameGate.prototype, "admit").mockImplementation(function (this: FrameGate, subject, data) {
      const frame = admit.call(this, subject, data) ?? admitted.get(data);
      if (frame !== undefined) admitted.set(data, frame);
      return frame;
    });
    const faults: Plan["faults"] = [{ kind: "repeat", atMs: 5_500, forMs: 4_000, from: 0, to: 1 }];
    expect(await brokenBy({ ...TALK, faults })).toBe("what is broadcast comes once for each subscription");
  });

  test("when some of it is lost", async () => {
    const { receive } = GroupMessaging.prototype;
    let count = 0;
    vi.spyOn(GroupMessaging.prototype, "receive").mockImplementation(function (
      this: GroupMessaging,
      ...what
    ) {
      count += 1;
      if (count % 5 !== 0) receive.apply(this, what);
    });
    expect(await brokenBy(TALK)).toBe("no broadcast is lost when nothing goes wrong");
  });

  test("when one of several subscribers is passed over", async () => {
    const { of } = Subscriptions.prototype;
    vi.spyOn(Subscriptions.prototype, "of").mockImplementation(function (
      this: Subscriptions<unknown>,
      topic,
    ) {
      return [...of.call(this, topic)].slice(1);
    });
    expect(await brokenBy(TALK)).toBe("no broadcast is lost when nothing goes wrong");
  });

  test("when it goes to the subscribers of another topic", async () => {
    const { of } = Subscriptions.prototype;
    vi.spyOn(Subscriptions.prototype, "of").mockImplementation(function (
      this: Subscriptions<unknown>,
      topic,
    ) {
      return [...of.call(this, topic), ...of.call(this, topic === "hall" ? "room" : "hall")];
    });
    const hall: Operations = [0, 1].map((node) => ({
      kind: "subscribe",
      atMs: 3_000,
      node,
      process: 1,
      topic: "hall",
      as: "process",
    }));
    expect(await brokenBy({ ...TALK, operations: [...hall, ...TALK.operations] })).toBe(
      "only who subscribes to a topic hears it",
    );
  });

  test("when who has unsubscribed goes on hearing it", async () => {
    vi.spyOn(LocalProcess.prototype, "exit").mockImplementation(() => {});
    vi.spyOn(NodeTopics.prototype, "remove").mockImplementation(() => {});
    expect(await brokenBy(TALK)).toMatch(
      /^who has unsubscribed is not called any more$|^only who subscribes/,
    );
  });

  test("when subscriptions that have ended are counted", async () => {
    const { stats } = RunningNode.prototype;
    vi.spyOn(RunningNode.prototype, "stats").mockImplementation(function (this: RunningNode) {
      return { ...stats.call(this), subscriptions: 4 };
    });
    expect(await brokenBy(TALK)).toBe("subscriptions are counted");
  });

  test("when a listener that has ended goes on running", async () => {
    const { exit } = LocalProcess.prototype;
    vi.spyOn(LocalProcess.prototype, "exit").mockImplementation(function (this: LocalProcess, reason) {
      if (reason !== undefined) exit.call(this, reason);
    });
    expect(await brokenBy(TALK)).toBe("no process is left behind");
  });

  test("when others go on taking a node for one with subscribers", async () => {
    const { remove } = Subscriptions.prototype;
    vi.spyOn(Subscriptions.prototype, "remove").mockImplementation(function (
      this: Subscriptions<unknown>,
      ...what
    ) {
      remove.apply(this, what);
      return false;
    });
    const operations: Operations = [
      { kind: "subscribe", atMs: 3_000, node: 0, ...room, as: "process" },
      { kind: "subscribe", atMs: 3_000, node: 0, process: 1, topic: "hall", as: "process" },
      { kind: "unsubscribe", atMs: 4_000, node: 0, ...room, as: "process", by: "hand" },
    ];
    expect(await brokenBy({ ...TALK, operations })).toBe("who has subscribers is known everywhere");
  });

  test("when who says it hears it", async () => {
    const { publish } = GroupMessaging.prototype;
    vi.spyOn(GroupMessaging.prototype, "publish").mockImplementation(function (
      this: GroupMessaging,
      group,
      message,
      options,
    ) {
      return publish.call(this, group, message, options && { ...options, except: undefined });
    });
    expect(await brokenBy(TALK)).toBe("who says it does not hear it");
  });

  test("when others than the node that is meant hear it", async () => {
    const { publish } = GroupMessaging.prototype;
    vi.spyOn(GroupMessaging.prototype, "publish").mockImplementation(function (
      this: GroupMessaging,
      group,
      message,
      options,
    ) {
      return publish.call(this, group, message, options && { ...options, only: undefined });
    });
    expect(await brokenBy(TALK)).toBe("only the node that is meant hears it");
  });

  test("when what is missed is not counted", async () => {
    const { stats } = RunningNode.prototype;
    vi.spyOn(RunningNode.prototype, "stats").mockImplementation(function (this: RunningNode) {
      const told = stats.call(this);
      return { ...told, messages: { ...told.messages, mailboxFull: 0 } };
    });
    expect(await brokenBy(TALK)).toBe("what is missed adds up");
  });

  test.each([
    ["is not told what it has missed", 0, "no broadcast is lost when nothing goes wrong"],
    ["is told that it has missed more than it has", 2, "what is missed comes before what is heard"],
  ])("when a listener %s", async (_what, factor, rule) => {
    const { subscribe } = NodePubSub.prototype;
    vi.spyOn(NodePubSub.prototype, "subscribe").mockImplementation(function (
      this: NodePubSub,
      topic,
      to,
      options,
    ) {
      if (typeof to !== "function") return subscribe.call(this, topic, to, options);
      const told: Listener = (message, context) =>
        to(message, { ...context, missed: context.missed * factor });
      return subscribe.call(this, topic, told, options);
    });
    expect(await brokenBy(TALK)).toBe(rule);
  });

  test("in plans as they are drawn, too: when a message in ten goes astray", async () => {
    const { receive } = GroupMessaging.prototype;
    let count = 0;
    vi.spyOn(GroupMessaging.prototype, "receive").mockImplementation(function (
      this: GroupMessaging,
      ...what
    ) {
      if (what[0].startsWith("pubsub:")) count += 1;
      if (count % 10 !== 9) receive.apply(this, what);
    });
    const found = new Set<string>();
    for (let seed = 0; seed < 40 && found.size === 0; seed += 1) {
      const rule = await brokenBy(generateForShells(`astray ${seed}`));
      if (rule !== undefined) found.add(rule);
    }
    expect([...found]).toEqual(["no broadcast is lost when nothing goes wrong"]);
  });
});
