import { describe, expect, test } from "vitest";
import { BALLOTS_AT_ONCE, ITEMS_PER_REQUEST, MAX_IN_FLIGHT } from "../../../src/lease/limits.ts";
import { makeSessionId } from "../../../src/lease/requests.ts";
import { Script } from "./script.ts";

const NO_SESSION = { kind: "noSession" } as const;
const LOST = { kind: "confirmed", items: [{ kind: "lost" }] } as const;

/** The session on this server is found to be gone, and another is opened. */
function reopen(script: Script, server: number): void {
  script.advance(3_400);
  for (const other of [0, 1, 2])
    if (other !== server && script.open(other, "renew").length > 0) script.keep(other);
  script.reply(server, "renew", NO_SESSION);
  script.keep(server);
}

describe("step by step", () => {
  test("a vote given to a session that has ended since is not counted with those of the others", () => {
    const script = new Script();
    script.advance(3_000);
    script.acquire("x");
    script.grant(0, 50);
    script.advance(400);
    script.reply(0, "renew", NO_SESSION);
    script.keep(0);
    script.grant(1, 50);
    expect(script.told("granted")).toEqual([]);
  });

  test("a name that is held loses the vote of a session that has ended, also when there is a new one", () => {
    const script = new Script();
    script.acquire("x");
    script.grant(0, 50);
    script.grant(1, 50);
    expect(script.told("granted")).toHaveLength(1);
    script.vote(2, { kind: "exhausted" });
    script.reply(2, "attach", LOST);
    reopen(script, 0);
    expect(script.told("lost")).toHaveLength(1);
  });

  test("a vote that a new session has not got is not counted when another one runs out", () => {
    const script = new Script();
    script.acquire("x");
    for (const server of [0, 1, 2]) script.grant(server, 50);
    reopen(script, 0);
    script.reply(0, "attach", LOST);
    // From here on 0 and 2 are renewed, and 1 is not.
    for (let time = 0; time < 4; time += 1) {
      script.advance(3_000);
      for (const server of [0, 2]) while (script.open(server, "renew").length > 0) script.keep(server);
    }
    expect(script.told("lost")).toHaveLength(1);
  });

  test("a server whose late answer is of no use is asked again, with the token that is held", () => {
    const script = new Script();
    script.acquire("x");
    script.grant(0, 50);
    script.grant(1, 50);
    expect(script.open(2, "attach")).toEqual([]);
    script.grant(2, 70);
    expect(script.open(2, "attach")[0]?.request).toMatchObject({ items: [{ name: "x", token: 50 }] });
  });

  test("tokens that differ are confirmed only with votes of sessions that have not ended", () => {
    const script = new Script();
    script.advance(3_000);
    script.acquire("x");
    script.grant(0, 50);
    script.advance(400);
    script.reply(0, "renew", NO_SESSION);
    script.keep(0);
    script.grant(1, 60);
    // Server 0 has forgotten the vote: somebody else may have held the name with 61 meanwhile.
    expect(script.open(0, "confirm")).toEqual([]);
    script.advance(100);
    expect(script.told("granted")).toEqual([]);
  });

  test("what is owed to a server is said again on the next connection, ahead of anything else, until it is answered", () => {
    const script = new Script();
    script.acquire("x");
    script.step({ kind: "cancel", command: 1 });
    expect([0, 1, 2].map((server) => script.open(server, "release").length)).toEqual([1, 1, 1]);
    script.step({ kind: "disconnected", server: 0 });
    script.step({ kind: "connected", server: 0 });
    script.keep(0);
    const again = script.open(0, "release");
    expect(again.map(({ request }) => "connection" in request && request.connection)).toEqual([1, 2]);
    expect(again[1]?.request).toMatchObject({ items: [{ name: "x", leave: true }] });
  });

  test("what was owed for an earlier attempt is not said again behind a later one, whose vote it would clear", () => {
    const script = new Script();
    const vote = { session: makeSessionId("n2", 1), claim: 1, token: 9, value: new Uint8Array() };
    const held = { kind: "held", vote, leftMs: 9_000, ticket: 1, ahead: 0 } as const;
    script.acquire("x", true);
    script.grant(0, 50);
    for (const server of [1, 2]) script.vote(server, held);
    expect(script.open(0, "release")).toHaveLength(1);
    script.advance(70);
    // The answer to that is lost, and those to what was sent behind it come.
    for (const server of [0, 1, 2]) script.grant(server, 60);
    expect(script.told("granted")).toHaveLength(1);
    script.step({ kind: "disconnected", server: 0 });
    script.step({ kind: "connected", server: 0 });
    script.keep(0);
    expect(script.open(0, "release")).toHaveLength(1);
  });

  test("votes that were split are asked for again at one server, and at the others once that has granted", () => {
    const script = new Script();
    const held = (owner: string) => {
      const vote = { session: makeSessionId(owner, 1), claim: 1, token: 9, value: new Uint8Array() };
      return { kind: "held", vote, leftMs: 9_000, ticket: undefined, ahead: 0 } as const;
    };
    script.acquire("x");
    script.grant(0, 50);
    script.vote(1, held("n2"));
    script.vote(2, held("n3"));
    script.advance(70);
    const asked = () => [0, 1, 2].filter((server) => script.open(server, "acquire").length > 0);
    const [first = 0, ...others] = asked();
    expect(others).toEqual([]);
    script.grant(first, 60);
    expect(asked()).toEqual([0, 1, 2].filter((server) => server !== first));
  });

  test("an attempt that has been lost is not lost again when its time runs out, while somebody is asked about it", () => {
    const script = new Script();
    const vote = { session: makeSessionId("n2", 1), claim: 1, token: 9, value: new Uint8Array() };
    script.acquire("x");
    script.advance(800);
    script.vote(0, { kind: "held", vote, leftMs: 9_000, ticket: undefined, ahead: 0 });
    for (const server of [1, 2]) script.reply(server, "acquire", { kind: "failed", message: "no memory" });
    for (const server of [1, 2]) {
      script.reply(server, "release", { kind: "released", items: [{ next: undefined }] });
    }
    expect(script.told("ask")).toHaveLength(1);
    script.advance(900);
    expect(script.told("ask")).toHaveLength(1);
    // Nobody answers.
    script.advance(800);
    script.advance(70);
    expect([0, 1, 2].reduce((sum, server) => sum + script.open(server, "acquire").length, 0)).toBe(1);
  });

  test("a node that has used servers does not take them for new, however long they say that they have been running", () => {
    const script = new Script();
    script.advance(3_400);
    for (const server of [0, 1, 2]) {
      script.reply(server, "renew", {
        ...{ kind: "guarded", guard: `g${server}`, waitMs: 10_350, needsFloor: true, empty: true },
        ...{ upMs: 1_000_000_000, ageMs: 0 },
      });
    }
    expect([0, 1, 2].flatMap((server) => script.open(server, "recover"))).toEqual([]);
  });

  test("each connection has a higher number than the one before", () => {
    const script = new Script();
    for (const connection of [2, 3, 4]) {
      script.step({ kind: "disconnected", server: 1 });
      script.step({ kind: "connected", server: 1 });
      expect(script.open(1, "renew").at(-1)?.request).toMatchObject({ connection });
    }
  });

  test("a server that does not answer is left alone until it does", () => {
    const script = new Script();
    script.acquire("x");
    script.advance(1_700);
    for (const server of [0, 1]) script.vote(server, { kind: "granted", token: 50 });
    script.advance(70);
    const asked = [0, 1, 2].map((server) => script.open(server, "acquire").length);
    const first = asked[0] === 1 ? 0 : 1;
    expect(asked.slice(0, 2).sort()).toEqual([0, 1]);
    script.grant(first, 60);
    expect([0, 1, 2].map((server) => script.open(server, "acquire").length)).toEqual(
      first === 0 ? [0, 1, 1] : [1, 0, 1],
    );
  });

  test("an answer that never came does not keep a server from being asked, once something sent later is answered", () => {
    const script = new Script();
    script.acquire("x");
    script.step({ kind: "cancel", command: 1 });
    for (let time = 0; time < 3; time += 1) {
      script.advance(3_400);
      for (const server of [0, 1, 2]) while (script.open(server, "renew").length > 0) script.keep(server);
    }
    script.step({
      kind: "acquire",
      command: 2,
      name: "y",
      value: new Uint8Array(),
      wait: false,
      timeoutMs: 9_000,
    });
    expect(
      script.effects.filter((each) => each.kind === "send" && each.request.kind === "acquire").length,
    ).toBe(6);
    // What was owed meanwhile is said again too.
    expect(script.open(0, "release").length).toBeGreaterThan(1);
  });

  test("votes that come when their sessions have run out hold nothing", () => {
    const script = new Script();
    script.advance(3_000);
    script.acquire("x");
    script.nowMs += 7_000;
    // Both arrive in one turn after a long stall, before any timer.
    const [first, second] = [script.open(0, "acquire")[0], script.open(1, "acquire")[0]];
    for (const sent of [first, second]) {
      if (sent === undefined) continue;
      const reply = { kind: "acquired", items: [{ kind: "granted", token: 50 }] } as const;
      script.step({ kind: "reply", server: sent.server, id: sent.id, reply });
    }
    expect(script.told("granted")).toEqual([]);
  });

  test("more requests than may be under way are not sent, and tried again", () => {
    const script = new Script();
    for (let command = 1; command <= MAX_IN_FLIGHT + 5; command += 1) {
      script.step({ kind: "lookup", command, name: `${command}`, timeoutMs: 60_000 });
    }
    const sent = script.effects.filter((each) => each.kind === "send" && each.request.kind === "read");
    expect(sent.length).toBe(3 * MAX_IN_FLIGHT);
    expect(script.told("refused")).toEqual([]);
  });

  test("only so many ballots are held at once; who has waited longest begins when one is over, and who is in a hurry before", () => {
    const script = new Script();
    const acquire = (command: number, wait: boolean): void =>
      script.step({
        ...{ kind: "acquire", command, name: `x${command}`, value: new Uint8Array(), wait },
        timeoutMs: 60_000,
      });
    for (let command = 1; command <= BALLOTS_AT_ONCE + 3; command += 1) acquire(command, true);
    const names = (): readonly string[] =>
      script
        .open(0, "acquire")
        .flatMap(({ request }) => (request.kind === "acquire" ? request.items.map(({ name }) => name) : []));
    expect(names()).toHaveLength(BALLOTS_AT_ONCE);
    acquire(9_001, false);
    expect(names()).toHaveLength(BALLOTS_AT_ONCE);
    script.step({ kind: "yourTurn", name: `x${BALLOTS_AT_ONCE + 3}` });
    script.step({ kind: "cancel", command: BALLOTS_AT_ONCE + 1 });
    const began: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const before = new Set(names());
      for (const server of [0, 1]) script.grant(server, 100 + round);
      began.push(...names().filter((name) => !before.has(name)));
    }
    expect(script.told("granted")).toHaveLength(3);
    expect(began).toEqual(["x9001", `x${BALLOTS_AT_ONCE + 3}`, `x${BALLOTS_AT_ONCE + 2}`]);
  });

  test("what begins at the same moment shares requests, and each is answered for itself", () => {
    const script = new Script();
    const names = Array.from({ length: BALLOTS_AT_ONCE }, (_, index) => `x${index}`);
    for (const [index, name] of names.entries()) {
      script.step({
        ...{ kind: "acquire", command: index + 1, name, value: new Uint8Array(), wait: true },
        timeoutMs: 60_000,
      });
    }
    // All of them are held by somebody whose session ends at the same moment.
    const vote = { session: makeSessionId("other", 1), claim: 1, token: 7, value: new Uint8Array() };
    for (const server of [0, 1, 2]) {
      for (const _name of names)
        script.vote(server, { kind: "held", vote, leftMs: 300, ticket: 1, ahead: 0 });
    }
    expect(script.open(0, "acquire")).toEqual([]);
    script.advance(3_000);
    const sent = script.open(0, "acquire");
    expect(sent.length).toBe(BALLOTS_AT_ONCE / ITEMS_PER_REQUEST);
    const items = sent.flatMap(({ request }) => (request.kind === "acquire" ? request.items : []));
    expect(new Set(items.map(({ name }) => name))).toEqual(new Set(names));
    for (const server of [0, 1]) {
      for (const { request } of script.open(server, "acquire")) {
        const asked = request.kind === "acquire" ? request.items : [];
        const results = asked.map(
          ({ name }) => ({ kind: "granted", token: 1_000 + Number(name.slice(1)) }) as const,
        );
        script.reply(server, "acquire", { kind: "acquired", items: results });
      }
    }
    const granted = script.told("granted");
    expect(granted).toHaveLength(BALLOTS_AT_ONCE);
    for (const { name, token } of granted) expect(token).toBe(1_000 + Number(name.slice(1)));
  });

  test("a name that is lost is given back at once, so that whoever waits need not wait for the session to end", () => {
    const script = new Script();
    script.acquire("x");
    script.grant(0, 50);
    script.grant(1, 50);
    script.vote(2, { kind: "exhausted" });
    script.reply(2, "attach", LOST);
    reopen(script, 0);
    expect(script.told("lost")).toHaveLength(1);
    expect(script.open(1, "release")).toHaveLength(1);
  });
});
