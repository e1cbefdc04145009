import { describe, expect, test } from "vitest";
import { QuorumCore } from "../../../src/lease/quorum/core.ts";
import { ServerLink } from "../../../src/lease/quorum/server-link.ts";
import type { AcquireItem, LeaseRequest } from "../../../src/lease/requests.ts";
import { DEFAULT_LEASE_SETTINGS } from "../../../src/lease/settings.ts";

/** A link with an open session, and what it sends. */
function setUp() {
  const core = new QuorumCore({ owner: "n1", servers: 1, settings: DEFAULT_LEASE_SETTINGS });
  core.look({ monotonicMs: 1_000, wallMs: 1_000 });
  const none = (): void => undefined;
  const link = new ServerLink(core, 0, { onKept: none, onSessionLost: none, onGuarded: none });
  const sent = (): readonly { readonly id: number; readonly request: LeaseRequest }[] =>
    core.takeEffects().filter((effect) => effect.kind === "send");
  link.connected();
  const [open] = sent();
  if (open === undefined) throw new Error("it opens a session");
  link.reply(open.id, { kind: "kept", serverMs: 1_000, maxToken: 0 });
  return { link, sent };
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
