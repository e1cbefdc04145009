import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { createPresence, createPubSub, type PresenceEvent, type Presences } from "../../../../src/index.ts";
import {
  AlreadyTrackedError,
  BusClosedError,
  InvalidArgumentError,
  LimitExceededError,
  NoSuchProcessError,
  NotLocalError,
  NotTrackedError,
} from "../../../../src/kernel/errors.ts";
import { partsOf } from "../../../../src/node/running-node.ts";
import { Shells } from "../../../support/shells.ts";

async function setUp(seed: string) {
  const shells = new Shells(seed);
  const nodes = await shells.startAll("a", "b", "c");
  const [onA, onB, onC] = nodes.map((node) => createPresence(createPubSub(node)));
  if (onA === undefined || onB === undefined || onC === undefined) throw new Error("three nodes");
  const [a, b, c] = nodes;
  return { shells, a, b, c, onA, onB, onC };
}

/** Everything that a watch gives, as it comes. */
function read(watch: AsyncIterable<PresenceEvent>): PresenceEvent[] {
  const events: PresenceEvent[] = [];
  void (async () => {
    for await (const event of watch) events.push(event);
  })();
  return events;
}

/** Who is there by the metas' field `as`, key by key. */
function shown(presences: Presences): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(presences).map(([key, { metas }]) => [key, metas.map((meta) => meta["as"])]),
  );
}

/** As the client of Phoenix does it: joins before leaves, and nothing but the reference tells metas from each other. */
function replay(events: readonly PresenceEvent[]): Record<string, string[]> {
  const refs = new Map<string, Set<string>>();
  const of = (key: string): Set<string> => {
    const known = refs.get(key) ?? new Set<string>();
    refs.set(key, known);
    return known;
  };
  for (const event of events) {
    if (event.kind !== "diff") {
      refs.clear();
      for (const [key, { metas }] of Object.entries(event.presences))
        for (const { phx_ref } of metas) of(key).add(phx_ref);
      continue;
    }
    for (const [key, { metas }] of Object.entries(event.joins))
      for (const { phx_ref } of metas) of(key).add(phx_ref);
    for (const [key, { metas }] of Object.entries(event.leaves))
      for (const { phx_ref } of metas) expect(of(key).delete(phx_ref)).toBe(true);
  }
  return sorted([...refs].filter(([, each]) => each.size > 0).map(([key, each]) => [key, [...each]]));
}

function refsIn(presences: Presences): Record<string, string[]> {
  return sorted(
    Object.entries(presences).map(([key, { metas }]) => [key, metas.map((meta) => meta.phx_ref)]),
  );
}

function sorted(entries: readonly (readonly [string, string[]])[]): Record<string, string[]> {
  return Object.fromEntries(entries.map(([key, refs]) => [key, refs.sort()] as const).sort());
}

describe("a presence", () => {
  test("shows on its own node at once, and on all others soon", async () => {
    const { shells, a, onA, onB } = await setUp("track");
    const meta = onA.track(a.spawn(), "room", "ann", { as: "ann" });
    expect(meta).toMatchObject({ as: "ann", phx_ref: expect.stringMatching(/./) });
    expect(meta).not.toHaveProperty("phx_ref_prev");
    expect(onA.list("room")).toEqual({ ann: { metas: [meta] } });
    await shells.run(20);
    expect(onB.list("room")).toEqual({ ann: { metas: [meta] } });
    expect(onB.getByKey("room", "ann")).toEqual([meta]);
    expect([onB.getByKey("room", "bob"), onB.getByKey("hall", "ann"), onB.list("hall")]).toEqual([
      [],
      [],
      {},
    ]);
  });

  test("is known by topic, process and key together", async () => {
    const { shells, a, b, onA, onB, onC } = await setUp("identity");
    const [first, second] = [a.spawn(), a.spawn()];
    onA.track(first, "room", "ann", { as: 1 });
    expect(() => onA.track(first, "room", "ann", { as: 2 })).toThrow(AlreadyTrackedError);
    onA.track(second, "room", "ann", { as: 3 });
    onA.track(first, "room", "bob", { as: 4 });
    onA.track(first, "hall", "ann", { as: 5 });
    onB.track(b.spawn(), "room", "ann", { as: 6 });
    await shells.run(20);
    expect(shown(onC.list("room"))).toEqual({ ann: [1, 3, 6], bob: [4] });
    expect(shown(onC.list("hall"))).toEqual({ ann: [5] });
    const refs = [
      ...onC.getByKey("room", "ann"),
      ...onC.getByKey("room", "bob"),
      ...onC.getByKey("hall", "ann"),
    ];
    expect(new Set(refs.map(({ phx_ref }) => phx_ref)).size).toBe(5);
  });

  test("has a reference that none of another name on the same node has", async () => {
    const { a } = await setUp("references");
    const [one, other] = ["one", "other"].map((name) => createPresence(createPubSub(a, { name })));
    const metas = [one, other, one].map((presence) => presence?.track(a.spawn(), "room", "ann"));
    expect(new Set(metas.map((meta) => meta?.phx_ref)).size).toBe(3);
  });

  test("that is updated has another reference, and leaves and joins in one diff", async () => {
    const { shells, a, onA, onB } = await setUp("update");
    const process = a.spawn();
    const first = onA.track(process, "room", "ann", { as: "ann", here: true });
    await shells.run(20);
    const watches = [read(onA.watch("room")), read(onB.watch("room"))];
    const second = onA.update(process, "room", "ann", (meta) => {
      expect(meta).toEqual(first);
      return { ...meta, here: false };
    });
    expect(second).toMatchObject({ as: "ann", here: false, phx_ref_prev: first.phx_ref });
    expect(second.phx_ref).not.toBe(first.phx_ref);
    await shells.run(20);
    const diff = {
      kind: "diff",
      joins: { ann: { metas: [second] } },
      leaves: { ann: { metas: [first] } },
    };
    for (const events of watches) expect(events.slice(1)).toEqual([diff]);
    const third = onA.update(process, "room", "ann", { as: "Ann" });
    expect(third).toEqual({ as: "Ann", phx_ref: third.phx_ref, phx_ref_prev: second.phx_ref });
    expect(() => onA.update(process, "room", "bob", {})).toThrow(NotTrackedError);
    expect(() => onA.update(a.spawn(), "room", "ann", {})).toThrow(NotTrackedError);
  });

  test("ends by untrack: one key, one topic, or all", async () => {
    const { shells, a, onA, onB } = await setUp("untrack");
    const process = a.spawn();
    for (const topic of ["room", "hall"]) for (const key of ["ann", "bob"]) onA.track(process, topic, key);
    const events = read(onA.watch("room"));
    onA.untrack(process, "room", "nobody");
    onA.untrack(process, "nowhere");
    onA.untrack(a.spawn());
    await shells.run(20);
    expect(events).toHaveLength(1);
    onA.untrack(process, "room", "ann");
    expect(Object.keys(onA.list("room"))).toEqual(["bob"]);
    onA.untrack(process, "room");
    expect(onA.list("room")).toEqual({});
    expect(Object.keys(onA.list("hall"))).toEqual(["ann", "bob"]);
    onA.untrack(process);
    await shells.run(20);
    expect([onA.list("hall"), onB.list("hall"), a.groups.list()]).toEqual([{}, {}, []]);
    expect(process.signal.aborted).toBe(false);
    onA.track(process, "room", "ann");
    expect(Object.keys(onA.list("room"))).toEqual(["ann"]);
  });

  test("ends with its process, and tells its last metadata", async () => {
    const { shells, a, onA, onB } = await setUp("exit");
    const process = a.spawn();
    const meta = onA.track(process, "room", "ann", { as: "ann" });
    await shells.run(20);
    const watches = [read(onA.watch("room")), read(onB.watch("room"))];
    process.exit({ kind: "killed" });
    expect(onA.list("room")).toEqual({});
    await shells.run(20);
    const leaves = { ann: { metas: [meta] } };
    for (const events of watches) expect(events.slice(1)).toEqual([{ kind: "diff", joins: {}, leaves }]);
    expect(() => onA.track(process, "room", "ann")).toThrow(NoSuchProcessError);
    onA.untrack(process);
  });

  test("is of a process of this node", async () => {
    const { b, onA } = await setUp("not local");
    const elsewhere = b.spawn();
    expect(() => onA.track(elsewhere, "room", "ann")).toThrow(NotLocalError);
    expect(() => onA.update(elsewhere, "room", "ann", {})).toThrow(NotLocalError);
  });

  test("is hidden by its node being down, and there again if that was not dead", async () => {
    const { shells, a, b, onA, onB, onC } = await setUp("down and up");
    const meta = onB.track(b.spawn(), "room", "bob", { as: "bob" });
    onA.track(a.spawn(), "room", "ann", { as: "ann" });
    await shells.run(20);
    const events = read(onC.watch("room"));
    shells.network.partition([["b"], ["a", "c"]]);
    await shells.eventually(() => Object.keys(onC.list("room")).length === 1);
    expect(shown(onC.list("room"))).toEqual({ ann: ["ann"] });
    shells.network.heal();
    await shells.eventually(() =>
      [onA, onB, onC].every((each) => Object.keys(each.list("room")).length === 2),
    );
    expect(onC.getByKey("room", "bob")).toEqual([meta]);
    expect(events.slice(1)).toEqual([
      { kind: "diff", joins: {}, leaves: { bob: { metas: [meta] } } },
      { kind: "diff", joins: { bob: { metas: [meta] } }, leaves: {} },
    ]);
  });

  test("of a node that has started again is gone at once", async () => {
    const { shells, b, onB, onC } = await setUp("restart");
    onB.track(b.spawn(), "room", "bob", { as: "old" });
    await shells.run(20);
    shells.network.kill("b");
    const again = await shells.start("b");
    const presence = createPresence(createPubSub(again));
    presence.track(again.spawn(), "room", "bob", { as: "new" });
    await shells.run(200);
    expect(shown(onC.list("room"))).toEqual({ bob: ["new"] });
  });
});

describe("watching", () => {
  test("gives the state first; whoever replays the diffs has what the list shows", async () => {
    const { shells, a, b, c, onA, onB, onC } = await setUp("replay");
    onA.track(a.spawn(), "room", "early");
    await shells.run(20);
    const watches = [onA, onB, onC].map((each) => read(each.watch("room")));
    const presences = [onA, onB, onC];
    const processes = [a, b, c].map((node) => Array.from({ length: 4 }, () => node.spawn()));
    for (let step = 0; step < 120; step += 1) {
      const node = step % 3;
      const process = processes[node]?.[step % 4];
      const presence = presences[node];
      if (process === undefined || presence === undefined || process.signal.aborted) continue;
      const key = `k${step % 5}`;
      try {
        if (step % 7 === 0) presence.untrack(process, "room", key);
        else if (step % 5 === 0) presence.update(process, "room", key, { step });
        else presence.track(process, "room", key, { step });
      } catch (error) {
        expect([AlreadyTrackedError, NotTrackedError].some((kind) => error instanceof kind)).toBe(true);
      }
      if (step === 60) process.exit();
      if (step % 11 === 0) await shells.run(5);
    }
    await shells.run(50);
    expect(Object.keys(refsIn(onA.list("room"))).length).toBeGreaterThan(3);
    for (const [index, presence] of presences.entries()) {
      expect(refsIn(presence.list("room"))).toEqual(refsIn(onA.list("room")));
      expect(replay(watches[index] ?? [])).toEqual(refsIn(presence.list("room")));
      expect(watches[index]?.[0]?.kind).toBe("state");
    }
  });

  test("tells of the end of a node in one diff", async () => {
    const { shells, a, b, onA, onB, onC } = await setUp("one diff");
    const keys = Array.from({ length: 300 }, (_, index) => `u${index}`);
    for (const key of keys) onB.track(b.spawn(), "room", key);
    onA.track(a.spawn(), "room", "ann");
    await shells.run(50);
    const events = read(onC.watch("room"));
    await shells.run(5);
    shells.network.kill("b");
    await shells.eventually(() => Object.keys(onC.list("room")).length === 1);
    await shells.run(5);
    expect(events).toHaveLength(2);
    const [, diff] = events;
    expect(diff?.kind === "diff" && Object.keys(diff.leaves).sort()).toEqual([...keys].sort());
  });

  test("tells only what has changed of a process with several keys, and nothing that was over at once", async () => {
    const { shells, a, onA, onB } = await setUp("several keys");
    const process = a.spawn();
    const ann = onA.track(process, "room", "ann");
    await shells.run(20);
    const [near, far] = [read(onA.watch("room")), read(onB.watch("room"))];
    const bob = onA.track(process, "room", "bob");
    const later = onA.update(process, "room", "bob", { later: true });
    await shells.run(20);
    const joins = { kind: "diff", joins: { bob: { metas: [bob] } }, leaves: {} };
    const update = { kind: "diff", joins: { bob: { metas: [later] } }, leaves: { bob: { metas: [bob] } } };
    expect(near.slice(1)).toEqual([joins, update]);
    // Both came in one frame: nobody there has ever seen the first.
    expect(far.slice(1)).toEqual([{ kind: "diff", joins: { bob: { metas: [later] } }, leaves: {} }]);
    onA.track(process, "room", "cid");
    onA.untrack(process, "room", "cid");
    await shells.run(20);
    expect(far).toHaveLength(2);
    onA.untrack(process, "room", "ann");
    await shells.run(20);
    expect(far.at(-1)).toEqual({ kind: "diff", joins: {}, leaves: { ann: { metas: [ann] } } });
  });

  test("leaves nothing behind, neither watches nor processes that have ended", async () => {
    const { a, onA } = await setUp("nothing behind");
    const { core, scopes } = partsOf(a);
    const watch = onA.watch("room");
    const hub = scopes.get("default")?.groups.hub;
    expect(hub?.isWatched("presence:default:room")).toBe(true);
    await watch.return?.();
    expect(hub?.isWatched("presence:default:room")).toBe(false);
    const process = a.spawn();
    onA.track(process, "room", "ann");
    process.exit();
    const { steps } = core.pump;
    onA.untrack(process, "room");
    expect(core.pump.steps).toBe(steps);
  });

  test("that is refused leaves nothing behind", async () => {
    const shells = new Shells("refused watches");
    const a = await shells.start("a", { limits: { watches: 1 } });
    const presence = createPresence(createPubSub(a));
    presence.watch("room");
    const hub = partsOf(a).scopes.get("default")?.groups.hub;
    expect(() => presence.watch("hall")).toThrow(LimitExceededError);
    expect(() => presence.watch("room")).toThrow(LimitExceededError);
    expect(hub?.isWatched("presence:default:hall")).toBe(false);
    expect(hub?.isWatched("presence:default:room")).toBe(true);
  });

  test("that falls behind is given the state again", async () => {
    const shells = new Shells("behind");
    const a = await shells.start("a", { limits: { watchQueue: 3 } });
    const presence = createPresence(createPubSub(a));
    const watch = presence.watch("room");
    const process = a.spawn();
    for (let n = 0; n < 10; n += 1) presence.track(process, "room", `k${n}`);
    expect((await watch.next()).value?.kind).toBe("resync");
    presence.untrack(process, "room", "k0");
    const next = (await watch.next()).value;
    expect(next).toMatchObject({ kind: "diff", joins: {} });
    await watch.return?.();
  });

  test("ends by its signal and with the node, and leaves nothing behind", async () => {
    const { shells, a, onA } = await setUp("watch ends");
    const controller = new AbortController();
    const watches = [onA.watch("room", { signal: controller.signal }), onA.watch("room")];
    expect(a.stats().watches).toBe(2);
    for (const watch of watches) await watch.next();
    controller.abort();
    expect(await watches[0]?.next()).toEqual({ value: undefined, done: true });
    await shells.until(a.stop());
    expect(await watches[1]?.next()).toEqual({ value: undefined, done: true });
    expect(() => onA.list("room")).toThrow(BusClosedError);
    expect(() => onA.watch("room")).toThrow(BusClosedError);
  });
});

describe("hostile", () => {
  test("keys are keys like all others", async () => {
    const { shells, a, onA, onB } = await setUp("hostile keys");
    const keys = ["__proto__", "constructor", "toString", "a.b", "\r\n"];
    const process = a.spawn();
    for (const key of keys) onA.track(process, "room", key, JSON.parse('{"__proto__":{"as":1},"as":2}'));
    await shells.run(20);
    expect(Object.keys(onB.list("room")).sort()).toEqual([...keys].sort());
    for (const key of keys) expect(onB.getByKey("room", key)).toHaveLength(1);
    expect(onB.getByKey("room", "hasOwnProperty")).toEqual([]);
    expect(({} as { as?: unknown }).as).toBeUndefined();
    for (const wrong of ["", "x".repeat(513), 7])
      expect(() => onA.track(process, "room", wrong as string)).toThrow(InvalidArgumentError);
  });

  test("metadata is checked, bounded, and cannot set the references", async () => {
    const { a, onA } = await setUp("hostile meta");
    const process = a.spawn();
    for (const wrong of [null, 7, "x", [1]])
      expect(() => onA.track(process, "room", "ann", wrong as never)).toThrow(InvalidArgumentError);
    expect(() => onA.track(process, "room", "ann", { text: "x".repeat(9_000) })).toThrow(LimitExceededError);
    expect(() => onA.track(process, "room", "ann", { run: () => 1 })).toThrow(InvalidArgumentError);
    expect(onA.list("room")).toEqual({});
    const meta = onA.track(process, "room", "ann", { phx_ref: "mine", phx_ref_prev: "mine" });
    expect(meta.phx_ref).not.toBe("mine");
    expect(meta).not.toHaveProperty("phx_ref_prev");
    expect(() => onA.update(process, "room", "ann", () => 7 as never)).toThrow(InvalidArgumentError);
    expect(onA.getByKey("room", "ann")).toEqual([meta]);
    const given = { list: [1] };
    const copied = onA.update(process, "room", "ann", given);
    given.list.push(2);
    expect(onA.getByKey("room", "ann")).toEqual([copied]);
    expect(copied["list"]).toEqual([1]);
  });

  test.each<[string, object]>([
    ["a Map", new Map([["as", 1]])],
    ["a Set", new Set([1])],
    ["a Date", new Date(7)],
    ["an Error", new Error("as")],
    ["bytes", new Uint8Array(2)],
    ["a regular expression", /as/],
    ["a class", new (class Person {})()],
  ])("metadata is a plain object, and not %s", async (_what, wrong) => {
    const { a, onA } = await setUp("no fields");
    const process = a.spawn();
    expect(() => onA.track(process, "room", "ann", wrong)).toThrow(InvalidArgumentError);
    expect(onA.list("room")).toEqual({});
    const meta = onA.track(
      process,
      "room",
      "ann",
      Object.assign(Object.create(null), { as: wrong.constructor.name }),
    );
    for (const change of [wrong, () => wrong])
      expect(() => onA.update(process, "room", "ann", change)).toThrow(InvalidArgumentError);
    expect(onA.getByKey("room", "ann")).toEqual([meta]);
    expect(meta).toMatchObject({ as: wrong.constructor.name });
  });

  test("metadata may be a plain object of another realm", async () => {
    const { a, onA } = await setUp("another realm");
    const foreign = runInNewContext("({ as: 1 })") as object;
    expect(onA.track(a.spawn(), "room", "ann", foreign)).toMatchObject({ as: 1 });
  });

  test("members of its group that are no presences show nowhere", async () => {
    const { shells, a, b, onB } = await setUp("hostile members");
    const metas = [
      undefined,
      7,
      [7],
      [[1, {}, "r"]],
      [["k", 7, "r"]],
      [["k", {}, 7]],
      [["k", new Map(), "r"]],
      { a: 1 },
    ];
    for (const meta of metas) a.groups.join("presence:default:room", a.spawn(), { meta });
    const events = read(onB.watch("room"));
    await shells.run(20);
    expect(onB.list("room")).toEqual({});
    expect(events).toEqual([{ kind: "state", presences: {} }]);
    expect(b.stats().bugs).toBe(0);
  });

  test("getters in metadata may end the process, or track another key", async () => {
    const { shells, a, onA, onB } = await setUp("hostile getters");
    const [first, second] = [a.spawn(), a.spawn()];
    const ending = {
      deep: {
        get x() {
          first.exit();
          return 1;
        },
      },
    };
    expect(() => onA.track(first, "room", "ann", ending)).toThrow(NoSuchProcessError);
    const tracking = {
      get x() {
        onA.track(second, "room", "other");
        return 1;
      },
    };
    onA.track(second, "room", "bob", tracking);
    await shells.run(20);
    expect(Object.keys(onB.list("room")).sort()).toEqual(["bob", "other"]);
  });

  test("function of an update may end the process, or untrack it", async () => {
    const { a, onA } = await setUp("hostile update");
    const [first, second] = [a.spawn(), a.spawn()];
    onA.track(first, "room", "ann");
    onA.track(second, "room", "bob");
    expect(() =>
      onA.update(first, "room", "ann", () => {
        first.exit();
        return {};
      }),
    ).toThrow(NoSuchProcessError);
    expect(() =>
      onA.update(second, "room", "bob", () => {
        onA.untrack(second);
        return {};
      }),
    ).toThrow(NotTrackedError);
    expect(onA.list("room")).toEqual({});
  });
});
