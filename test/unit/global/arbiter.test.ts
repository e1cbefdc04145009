import { beforeEach, describe, expect, test } from "vitest";
import { Arbiter, type Claim } from "../../../src/global/arbiter.ts";
import type { ClaimMessage } from "../../../src/global/messages.ts";
import { makePid, type NodeId } from "../../../src/kernel/ids.ts";
import { drop, nodeNamed, put, RecordedTable } from "./entries.ts";

const [self, a, b] = [nodeNamed("s"), nodeNamed("a"), nodeNamed("b")];

describe("the arbiter of a name", () => {
  let recorded: RecordedTable;
  let sent: [NodeId, ClaimMessage][];
  let arbiter: Arbiter;

  beforeEach(() => {
    recorded = new RecordedTable();
    sent = [];
    arbiter = new Arbiter({
      self,
      scope: "default",
      table: recorded.table,
      arbiterTimeoutMs: 3_000,
      positionOf: (owner) => recorded.positions.get(owner) ?? 0,
      isGone: () => false,
      send: (to, message) => sent.push([to, message]),
      answerSelf: (message) => sent.push([self, message]),
      isOpen: () => true,
    });
  });

  const claim = (from: NodeId, number: number, more: Partial<Claim> = {}): Claim => ({
    from,
    claim: number,
    name: "x",
    takeover: false,
    expect: undefined,
    seen: [],
    ...more,
  });

  function answersTo(node: NodeId): string[] {
    return sent.filter(([to]) => to === node).map(([, message]) => message.kind);
  }

  test("grants a free name to the first, and lets the second wait", () => {
    arbiter.ask(claim(a, 1), 0);
    arbiter.ask(claim(b, 1), 0);
    expect(answersTo(a)).toEqual(["granted"]);
    expect(answersTo(b)).toEqual(["parked"]);
  });

  test("tells with a grant what ended under the name lately, but for what the claimer itself wrote", () => {
    recorded.apply(a, 1, put("x"));
    recorded.apply(a, 2, drop("x"));
    recorded.apply(b, 4, put("x"));
    recorded.apply(b, 5, drop("x"));
    arbiter.ask(claim(b, 1), 0);
    const granted = sent.map(([, message]) => (message.kind === "granted" ? message.current : undefined));
    expect(granted).toEqual([[{ owner: a, id: 1, how: "ended" }]]);
  });

  test("says again that it granted, when the claim comes again", () => {
    arbiter.ask(claim(a, 1), 0);
    arbiter.ask(claim(a, 1), 300);
    expect(answersTo(a)).toEqual(["granted", "granted"]);
  });

  test("refuses those who waited once the registration is applied, even if it is gone by then", () => {
    arbiter.ask(claim(a, 1), 0);
    arbiter.ask(claim(b, 1), 0);
    recorded.apply(a, 1, put("x", { claim: 1 }));
    arbiter.written(a, "x", 1);
    recorded.apply(a, 2, drop("x"));
    arbiter.nameTouched("x", 1);
    expect(answersTo(b)).toEqual(["parked", "refused"]);
    expect(arbiter.size).toBe(0);
  });

  test("lets a grant last for ever: time alone does not end it", () => {
    arbiter.ask(claim(a, 1), 0);
    arbiter.ask(claim(b, 1), 0);
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) arbiter.tick(nowMs);
    expect(answersTo(b)).toEqual(["parked"]);
    expect(answersTo(a).filter((kind) => kind === "confirm").length).toBeGreaterThan(0);
  });

  test("passes a grant on when it is given back, or its claimer is down", () => {
    arbiter.ask(claim(a, 1), 0);
    arbiter.ask(claim(b, 1), 0);
    arbiter.ask(claim(self, 1), 0);
    arbiter.release(a, 1, "x", 1);
    expect(answersTo(b)).toEqual(["parked", "granted"]);
    arbiter.peerDown(b, 2);
    expect(answersTo(self)).toEqual(["parked", "granted"]);
  });

  test("passes a grant on when its claimer says that the claim is over and its log is applied that far", () => {
    arbiter.ask(claim(a, 1), 0);
    arbiter.ask(claim(b, 1), 0);
    arbiter.tick(1_000);
    expect(sent.at(-1)).toEqual([a, { kind: "confirm", scope: "default", name: "x", id: 0, claim: 1 }]);
    const confirmed = {
      kind: "confirmed",
      scope: "default",
      name: "x",
      id: 0,
      claim: 1,
      stands: false,
      position: 5,
    } as const;
    arbiter.confirmed(a, confirmed, 1_001);
    expect(answersTo(b)).toEqual(["parked"]);
    recorded.positions.set(a, 5);
    arbiter.advanced(a, 5, 1_002);
    expect(answersTo(b)).toEqual(["parked", "granted"]);
  });

  test("asks the owner before it refuses: the release may be on its way", () => {
    recorded.apply(a, 1, put("x"));
    arbiter.ask(claim(b, 1), 0);
    expect(sent[0]).toEqual([a, { kind: "confirm", scope: "default", name: "x", id: 1, claim: 0 }]);
    arbiter.confirmed(
      a,
      { kind: "confirmed", scope: "default", name: "x", id: 1, claim: 0, stands: false, position: 2 },
      1,
    );
    recorded.apply(a, 2, drop("x"));
    arbiter.advanced(a, 2, 2);
    expect(answersTo(b)).toEqual(["parked", "granted"]);
  });

  test("refuses on the owner's word, naming the holder", () => {
    recorded.apply(a, 1, put("x", { serial: 4 }));
    arbiter.ask(claim(b, 1), 0);
    arbiter.confirmed(
      a,
      { kind: "confirmed", scope: "default", name: "x", id: 1, claim: 0, stands: true, position: 1 },
      1,
    );
    expect(sent.at(-1)).toEqual([b, { kind: "refused", scope: "default", claim: 1, holder: makePid(a, 4) }]);
  });

  test("keeps nobody waiting for a holder's node that hangs", () => {
    recorded.apply(a, 1, put("x"));
    arbiter.ask(claim(b, 1), 0);
    for (let nowMs = 0; nowMs <= 3_000; nowMs += 100) arbiter.tick(nowMs);
    expect(answersTo(b)).toEqual(["parked", "refused"]);
  });

  test("grants a takeover with what it supersedes, and a transfer only from the registration it names", () => {
    recorded.apply(a, 1, put("x"));
    arbiter.ask(claim(b, 1, { takeover: true, expect: { owner: a, id: 9 } }), 0);
    recorded.apply(a, 9, put("y"));
    arbiter.advanced(a, 9, 1);
    arbiter.ask(claim(b, 2, { takeover: true, expect: { owner: a, id: 1 } }), 2);
    expect(sent.map(([, message]) => message.kind)).toEqual(["parked", "refused", "granted"]);
    expect(sent.at(-1)?.[1]).toMatchObject({ current: [{ owner: a, id: 1 }] });
  });
});
