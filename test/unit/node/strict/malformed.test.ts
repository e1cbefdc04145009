import { describe, expect, test } from "vitest";
import { IndeterminateError } from "../../../../src/kernel/errors.ts";
import { makeNodeId, makePid } from "../../../../src/kernel/ids.ts";
import { MalformedError } from "../../../../src/kernel/malformed.ts";
import { Value } from "../../../../src/kernel/value.ts";
import { type LeaseRequest, makeSessionId } from "../../../../src/lease/requests.ts";
import { STATE } from "../../../../src/node/frame.ts";
import { type ClusterMessage, clusterMessages } from "../../../../src/node/protocol.ts";
import { encodeHolder, readHolder } from "../../../../src/node/strict/holder.ts";
import { keyOf } from "../../../../src/node/strict/key.ts";
import { type Stage, setUp, TTL_MS } from "./stage.ts";

const OWNER = makeNodeId("evil", "0".repeat(17));

/** Somebody who reaches the lease servers, and is no node, gets the votes of the first ones for a name. */
function vote({ store }: Stage, name: string, value: Uint8Array, owner: string = OWNER, servers = 3): void {
  const session = makeSessionId(owner, 1);
  for (const [server, member] of store.members.slice(0, servers).entries()) {
    const { configuration } = member.snapshot() ?? {};
    if (configuration === undefined) throw new Error(`server ${server} was never used`);
    const ask = (request: LeaseRequest) => member.execute(request, configuration);
    ask({ kind: "open", session, connection: 1 });
    const items = [{ name: keyOf("default", name), claim: 1, proposal: 1, value, ticket: undefined }];
    expect(ask({ kind: "acquire", session, connection: 1, items })).toMatchObject({
      items: [{ kind: "granted" }],
    });
  }
}

describe("a vote that no node has written", () => {
  const wrongs: readonly [string, Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["bytes", new Uint8Array([0xc1, 0xff, 0x00])],
    [
      "the process of another node",
      encodeHolder(makePid(makeNodeId("other", "0".repeat(17)), 1), Value.undefined),
    ],
  ];

  test.each(wrongs)("with %s is malformed", (_what, value) => {
    expect(() => readHolder({ session: makeSessionId(OWNER, 1), token: 5, value })).toThrow(MalformedError);
  });

  test.each(wrongs)("with %s is counted, and the name indeterminate", async (what, value) => {
    const stage = setUp(`vote with ${what}`);
    const a = await stage.start("a");
    await stage.shells.until(a.strictNames.register("y", a.spawn()));
    vote(stage, "x", value);
    const unclear = await stage.failure(a.strictNames.lookup("x"));
    expect(unclear).toBeInstanceOf(IndeterminateError);
    expect(unclear).toMatchObject({ unclearName: "x", cause: expect.any(MalformedError) });
    expect(await stage.failure(a.strictNames.register("x", a.spawn()))).toBeInstanceOf(IndeterminateError);
    expect(a.stats().messages.malformed).toBe(2);
    expect(a.strictNames.whereis("x")).toBeUndefined();
    expect(await stage.shells.until(a.strictNames.lookup("y"))).toMatchObject({ node: a.id });
    expect(a.stats()).toMatchObject({ bugs: 0 });
  });

  test.each(["nobody", "", "a@"])("of owner %j disturbs nobody", async (owner) => {
    const stage = setUp(`owner ${owner}`);
    const { shells, store } = stage;
    const a = await stage.start("a");
    const lease = await shells.until(a.strictNames.register("y", a.spawn()));
    vote(stage, "x", encodeHolder(makePid(OWNER, 1), Value.undefined), owner, 2);
    // One of those that voted for it can be asked, and the other may have: the owner would have to say.
    store.cut(0);
    const unclear = await stage.failure(a.strictNames.lookup("x", { timeoutMs: TTL_MS / 4 }));
    expect(unclear).toBeInstanceOf(IndeterminateError);
    // It is the first in line for what is given back.
    const session = makeSessionId(owner, 1);
    for (const member of store.members.slice(0, 2)) {
      const { configuration = "" } = member.snapshot() ?? {};
      const item = { name: keyOf("default", "y"), claim: 2, proposal: 1, value: new Uint8Array(), ticket: 0 };
      member.execute({ kind: "acquire", session, connection: 1, items: [item] }, configuration);
    }
    await shells.until(lease.release());
    await shells.run(TTL_MS);
    expect(a.stats()).toMatchObject({ bugs: 0 });
  });
});

describe("a node that has gone bad", () => {
  test("cannot answer questions about holders that others were asked, or nobody", async () => {
    const { failure, shells, start, store } = setUp("false answers");
    const [a, b] = [await start("a"), await start("b")];
    const bad = await shells.startShell("bad");
    store.cut(2, a.id);
    await shells.run(2 * TTL_MS);
    await shells.until(a.strictNames.register("x", a.spawn()));
    // Votes of 0 and 1, and b can ask 1 and 2: it has to ask a, which is cut off.
    store.cut(0, b.id);
    await shells.run(TTL_MS);
    shells.network.partition([["a"], ["b", "bad"]]);
    const asking = failure(b.strictNames.lookup("x", { timeoutMs: 5_000 }));
    const say = (message: ClusterMessage): void =>
      bad.parts.core.outbox.sendTo(b.id, STATE, clusterMessages.encode(message));
    // One question after another is open meanwhile, and each of these is an answer to it.
    for (let round = 0; round < 80; round += 1) {
      for (let question = 1; question <= 300; question += 1)
        say({ kind: "leaseAnswer", question, holds: true });
      await shells.run(50);
    }
    expect(await asking).toBeInstanceOf(IndeterminateError);
    expect(b.stats().messages.unasked).toBe(80 * 300);
  });
});
