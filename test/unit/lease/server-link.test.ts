import { describe, expect, test } from "vitest";
import { ITEMS_PER_REQUEST, MAX_OWED } from "../../../src/lease/limits.ts";
import { QuorumCore } from "../../../src/lease/quorum/core.ts";
import { ServerLink } from "../../../src/lease/quorum/server-link.ts";
import type { AcquireItem, LeaseRequest } from "../../../src/lease/requests.ts";
import { DEFAULT_LEASE_SETTINGS } from "../../../src/lease/settings.ts";

/** A link with an open session, and what it sends. */
function setUp({ isNeeded = false } = {}) {
  const core = new QuorumCore({ owner: "n1", servers: 1, settings: DEFAULT_LEASE_SETTINGS });
  core.look({ monotonicMs: 1_000, wallMs: 1_000 });
  const none = (): void => undefined;
  const hooks = { onKept: none, onSessionLost: none, onGuarded: none, isNeeded: () => isNeeded };
  const link = new ServerLink(core, 0, hooks);
  const sent = (): readonly { readonly id: number; readonly request: LeaseRequest }[] =>
    core.takeEffects().filter((effect) => effect.kind === "send");
  link.connected();
  const [open] = sent();
  if (open === undefined) throw new Error("it opens a session");
  link.reply(open.id, { kind: "kept", serverMs: 1_000, maxToken: 0 });
  const pass = (ms: number): void => {
    core.look({ monotonicMs: core.now.monotonicMs + ms, wallMs: core.now.wallMs + ms });
  };
  return { core, link, pass, sent };
}

function item(name: string, claim: number): AcquireItem {
  return { name, claim, proposal: 1, value: new Uint8Array(), ticket: undefined };
}

describe("votes that are asked for in one step", () => {
  test("share a request, which goes ahead of whatever is sent after them: of what takes them back, too", () => {
    const { link, sent } = setUp();
    const results: unknown[] = [];
    link.acquire(item("x", 1), (result) => results.push(result));
    link.acquire(item("y", 2), (result) => results.push(result));
    expect(sent()).toEqual([]);
    link.owe({ name: "x", claim: 1, leave: false });
    link.acquire(item("z", 3), (result) => results.push(result));
    link.sendAcquires();
    const requests = sent();
    expect(requests.map(({ request }) => request)).toMatchObject([
      { kind: "acquire", items: [{ name: "x" }, { name: "y" }] },
      { kind: "release", items: [{ name: "x", claim: 1 }] },
      { kind: "acquire", items: [{ name: "z" }] },
    ]);
    link.reply(requests[0]?.id ?? 0, {
      kind: "acquired",
      items: [
        { kind: "granted", token: 1 },
        { kind: "granted", token: 2 },
      ],
    });
    expect(results).toEqual([
      { kind: "granted", token: 1 },
      { kind: "granted", token: 2 },
    ]);
  });

  test("are not sent for a session that has ended since", () => {
    const { link, sent } = setUp();
    link.ask(
      { kind: "release", session: link.session ?? ("" as never), connection: 1, items: [] },
      () => undefined,
    );
    const [asked] = sent();
    const results: unknown[] = [];
    link.acquire(item("x", 1), (result) => results.push(result));
    link.reply(asked?.id ?? 0, { kind: "noSession" });
    link.sendAcquires();
    expect(results).toEqual([undefined]);
    expect(sent().map(({ request }) => request.kind)).toEqual(["open"]);
  });
});

describe("votes that are to be taken back", () => {
  const REQUEST_MS = 1_667;

  function oweMany({ link }: ReturnType<typeof setUp>, count: number, done?: () => void): void {
    for (let claim = 1; claim <= count; claim += 1) link.owe({ name: `x${claim}`, claim, leave: true }, done);
  }

  test("share requests with others of the same step, and are not sent again while those are under way", () => {
    const stage = setUp();
    oweMany(stage, 2 * ITEMS_PER_REQUEST + 1);
    stage.link.endStep();
    const sizes = stage.sent().map(({ request }) => request.kind === "release" && request.items.length);
    expect(sizes).toEqual([ITEMS_PER_REQUEST, ITEMS_PER_REQUEST, 1]);
    stage.link.owe({ name: "y", claim: 9_999, leave: true });
    stage.link.endStep();
    expect(stage.sent()).toMatchObject([{ request: { kind: "release", items: [{ name: "y" }] } }]);
  });

  test("go behind what asks for them in the same step, and ahead of what is asked for next", () => {
    const { link, sent } = setUp();
    const none = (): void => undefined;
    link.acquire(item("x", 1), none);
    link.owe({ name: "x", claim: 1, leave: false });
    link.acquire(item("x", 1), none);
    link.endStep();
    expect(sent().map(({ request }) => request.kind)).toEqual(["acquire", "release", "acquire"]);
  });

  test("are tried again with the next step that owes something, not at once, if the server would not", () => {
    const { link, sent } = setUp();
    link.owe({ name: "x", claim: 1, leave: false });
    link.endStep();
    link.reply(sent()[0]?.id ?? 0, {
      kind: "guarded",
      guard: "g",
      ageMs: 0,
      waitMs: 1,
      upMs: 1,
      needsFloor: false,
      empty: false,
    });
    link.endStep();
    expect(sent()).toEqual([]);
    link.owe({ name: "y", claim: 2, leave: false });
    link.endStep();
    expect(sent()).toMatchObject([{ request: { items: [{ name: "x" }, { name: "y" }] } }]);
  });

  test("cost the session of nobody while they are on their way, however many there are", () => {
    const stage = setUp();
    const { session } = stage.link;
    oweMany(stage, 4 * MAX_OWED);
    stage.link.endStep();
    expect(stage.link.session).toBe(session);
    expect(stage.link.isUsable).toBe(true);
  });

  test("cost the session when too many are overdue, and are gone once the server has said that it is closed", () => {
    const stage = setUp();
    const { link, pass, sent } = stage;
    let gone = 0;
    oweMany(stage, MAX_OWED + 1, () => {
      gone += 1;
    });
    link.endStep();
    pass(REQUEST_MS + 1);
    sent();
    link.owe({ name: "y", claim: 99_999, leave: true });
    link.endStep();
    const requests = sent();
    expect(requests.map(({ request }) => request.kind)).toEqual(["close", "open"]);
    link.owe({ name: "z", claim: 100_000, leave: true }, () => {
      gone += 1;
    });
    expect(gone).toBe(0);
    link.reply(requests[0]?.id ?? 0, { kind: "closed" });
    expect(gone).toBe(MAX_OWED + 2);
  });

  test("do not cost a session that names depend on: nothing new is asked for there until they are paid", () => {
    const stage = setUp({ isNeeded: true });
    const { link, pass, sent } = stage;
    const { session } = link;
    oweMany(stage, MAX_OWED + 1);
    link.endStep();
    const [first] = sent();
    pass(REQUEST_MS + 1);
    link.owe({ name: "y", claim: 99_999, leave: true });
    link.endStep();
    expect(link.session).toBe(session);
    const items = Array.from({ length: ITEMS_PER_REQUEST }, () => ({ next: undefined }));
    expect(link.isUsable).toBe(false);
    link.reply(first?.id ?? 0, { kind: "failed", message: "busy" });
    expect([link.isReachable, link.isUsable]).toEqual([true, false]);
    link.endStep();
    link.owe({ name: "z", claim: 100_000, leave: true });
    link.endStep();
    const [again] = sent();
    link.reply(again?.id ?? 0, { kind: "released", items });
    expect(link.isUsable).toBe(true);
    expect(link.session).toBe(session);
  });
});
