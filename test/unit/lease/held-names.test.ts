import { expect, test } from "vitest";
import { ITEMS_PER_REQUEST } from "../../../src/lease/limits.ts";
import { QuorumCore } from "../../../src/lease/quorum/core.ts";
import { HeldNames } from "../../../src/lease/quorum/held-names.ts";
import { ServerLink } from "../../../src/lease/quorum/server-link.ts";
import type { LeaseReply, LeaseRequest } from "../../../src/lease/requests.ts";
import { DEFAULT_LEASE_SETTINGS } from "../../../src/lease/settings.ts";

/** Three servers with open sessions; requests to the last are answered by `answer`. */
function setUp() {
  const core = new QuorumCore({ owner: "n1", servers: 3, settings: DEFAULT_LEASE_SETTINGS });
  core.look({ monotonicMs: 1_000, wallMs: 1_000 });
  const none = (): void => undefined;
  const hooks = { onKept: none, onSessionLost: none, onGuarded: none, isNeeded: () => false };
  const links = [0, 1, 2].map((index) => new ServerLink(core, index, hooks));
  /** Answers whatever is asked until nothing is. */
  const answer = (reply: (request: LeaseRequest) => LeaseReply): void => {
    for (let effects = core.takeEffects(); effects.length > 0; effects = core.takeEffects()) {
      for (const effect of effects) {
        if (effect.kind === "send") links[effect.server]?.reply(effect.id, reply(effect.request));
      }
    }
  };
  for (const link of links) link.connected();
  answer(() => ({ kind: "kept", serverMs: 1_000, maxToken: 0 }));
  return { answer, core, held: new HeldNames(core, links), links };
}

function heldName(index: number) {
  return { name: `x${index}`, claim: index + 1, token: 1, value: new Uint8Array() };
}

test("a server that refuses some names for long is asked for all others, and for these with the next renewal", () => {
  const { answer, held, links } = setUp();
  const asked: string[] = [];
  const attach = (isFree: (name: string) => boolean): void =>
    answer((request) => {
      if (request.kind !== "attach") throw new Error(`no ${request.kind} is expected`);
      asked.push(...request.items.map(({ name }) => name));
      const items = request.items.map(({ name }) => ({ kind: isFree(name) ? "stored" : "lost" }) as const);
      return { kind: "confirmed", items };
    });
  const all = Array.from({ length: 2 * ITEMS_PER_REQUEST }, (_, index) => heldName(index));
  for (const one of all) held.hold(one, 0b011, 0);
  const refused = new Set(all.slice(0, ITEMS_PER_REQUEST + 1).map(({ name }) => name));
  attach((name) => !refused.has(name));
  expect(asked).toEqual(all.map(({ name }) => name));
  const [, , third] = links;
  if (third === undefined) throw new Error("there are three");
  asked.length = 0;
  held.kept(third);
  attach(() => true);
  expect(asked).toEqual([...refused]);
});

test("a server is needed if a name would be lost without its votes", () => {
  const { held, links } = setUp();
  held.hold(heldName(0), 0b111, 0);
  expect(links.map((link) => held.needs(link))).toEqual([false, false, false]);
  held.hold(heldName(1), 0b011, 0b100);
  expect(links.map((link) => held.needs(link))).toEqual([true, true, false]);
  held.drop("x1");
  expect(links.map((link) => held.needs(link))).toEqual([false, false, false]);
});
