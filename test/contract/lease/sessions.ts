import { expect, test } from "vitest";
import { type LeaseReply, makeSessionId } from "../../../src/lease/requests.ts";
import { eventually } from "../../support/eventually.ts";
import { LeasePeer } from "../../support/lease-peer.ts";
import { Member, only, VALUE } from "./member.ts";
import { type Get, SERVER } from "./stage.ts";

export function describeFirstUse(get: Get): void {
  test("a server that was never used keeps out, and says that it is empty", async () => {
    if (get().harness.losing === undefined) return;
    expect(await get().status()).toMatchObject({ kind: "guarded", empty: true, needsFloor: true });
    const peer = await get().peer("a");
    const member = new Member(peer, SERVER);
    expect(await member.open()).toMatchObject({ kind: "guarded" });
    expect(await peer.ask(SERVER, { kind: "read", names: ["x"] })).toMatchObject({ kind: "guarded" });
  });

  test("a store that is used for the first time is ready at once, with tokens above the floor", async () => {
    if (get().harness.losing === undefined) return;
    const peer = await get().peer("a");
    const first = await get().status();
    if (first.kind !== "guarded") throw new Error("it should keep out");
    expect(first.upMs).toBeGreaterThan(get().ttlMs);
    const recover = { kind: "recover", guard: first.guard, floor: 5_000, first: true } as const;
    expect(await peer.ask(SERVER, recover)).toEqual({ kind: "ready", maxToken: 5_000 });
    // Somebody else was about to do the same.
    expect(await peer.ask(SERVER, { ...recover, floor: 9_000 })).toEqual({ kind: "ready", maxToken: 5_000 });
    const member = await get().member("b");
    expect(await member.take("x")).toBe(5_001);
  });

  test("a guard that is not the present one cannot be ended", async () => {
    if (get().harness.losing === undefined) return;
    const peer = await get().peer("a");
    const recover = { kind: "recover", guard: "another", floor: 7, first: true } as const;
    expect(await peer.ask(SERVER, recover)).toMatchObject({ kind: "guarded" });
  });

  test("whoever is configured otherwise is refused, and told how the others are", async () => {
    await get().member("a");
    const other = new LeasePeer(get().harness.otherwise, "b");
    await other.connected(SERVER);
    const replies = await Promise.all([
      new Member(other, SERVER).open(),
      other.ask(SERVER, { kind: "status" }),
      other.ask(SERVER, { kind: "read", names: ["x"] }),
    ]);
    expect(replies.map(({ kind }) => kind)).toEqual(["misconfigured", "misconfigured", "misconfigured"]);
    expect(replies[0]).toMatchObject({ theirs: expect.stringMatching(/./) });
    await other.close();
  });
}

export function describeSessions(get: Get): void {
  test("a session lasts while it is renewed, and not much longer than a ttl after that", async () => {
    const { ttlMs } = get();
    const a = await get().member("a");
    await a.take("x");
    await get().pass(2 * ttlMs, [a]);
    const b = await get().member("b");
    expect(await b.acquire("x")).toMatchObject({ kind: "held" });
    await get().pass(1.1 * ttlMs, [b]);
    expect(await a.renew()).toEqual({ kind: "noSession" });
    expect(await b.acquire("x")).toMatchObject({ kind: "granted" });
  });

  test("a vote lasts for a ttl from when it is given", async () => {
    const { harness, ttlMs } = get();
    if (harness.store.servers.length === 1) return;
    const [a, b] = [await get().member("a"), await get().member("b")];
    await get().pass(0.8 * ttlMs);
    await a.take("x");
    expect(await b.confirm("y", 200, "attach")).toBe("stored");
    await get().pass(0.8 * ttlMs);
    expect(await a.read("x")).toMatchObject({ kind: "vote" });
    expect(await a.read("y")).toMatchObject({ kind: "vote" });
  });

  test("a session that was never opened, or has ended, can do nothing", async () => {
    const peer = await get().peer("a");
    await get().member("b");
    const member = new Member(peer, SERVER);
    const item = { name: "x", claim: 1, token: 9, value: VALUE };
    const requests = [
      member.renew(),
      member.ask("acquire", { items: [{ ...item, proposal: 1, ticket: 0 }] }),
      member.ask("confirm", { items: [item] }),
      member.ask("attach", { items: [item] }),
      member.ask("release", { items: [{ name: "x", claim: 1, leave: true }] }),
      member.ask("close", {}),
    ];
    const kinds = (await Promise.all(requests)).map(({ kind }) => kind);
    expect(kinds).toEqual(requests.map(() => "noSession"));
  });

  test("the server's clock goes on between two renewals", async () => {
    const a = await get().member("a");
    const first = await a.renew();
    await get().pass(get().ttlMs / 2);
    const second = await a.renew();
    if (first.kind !== "kept" || second.kind !== "kept") throw new Error("it should be kept");
    expect(second.serverMs - first.serverMs).toBeGreaterThanOrEqual(get().ttlMs / 2 - 1);
  });

  test("closing a session frees all that hangs on it, and nobody else's", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    const token = await a.take("x");
    await b.take("y");
    expect(await a.ask("close", {})).toEqual({ kind: "closed" });
    expect(await a.renew()).toEqual({ kind: "noSession" });
    expect(await b.take("x", { claim: 2 })).toBeGreaterThan(token);
    expect(await b.read("y")).toMatchObject({ kind: "vote" });
  });

  test("votes given to a session do not count for the next one of the same node", async () => {
    const a = await get().member("a");
    await a.take("x");
    await get().pass(1.1 * get().ttlMs);
    const again = new Member(a.peer, SERVER, makeSessionId("a", 2));
    await again.open();
    expect(await again.read("x")).toEqual({ kind: "none" });
    expect(await again.confirm("x", 500)).toBe("lost");
  });
}

export function describeConnections(get: Get): void {
  test("requests are carried out in the order in which they were sent", async () => {
    const a = await get().member("a");
    const replies: Promise<LeaseReply>[] = [];
    for (let round = 0; round < 50; round += 1) {
      const item = { name: "x", claim: round + 1, proposal: 1, ticket: undefined, value: VALUE };
      replies.push(a.ask("acquire", { items: [item] }));
      replies.push(a.ask("release", { items: [{ name: "x", claim: round + 1, leave: true }] }));
    }
    const kinds = (await Promise.all(replies)).map((reply) => only(reply, reply.kind as "acquired"));
    expect(kinds.filter((result) => result.kind === "granted")).toHaveLength(50);
  });

  test("what comes late on an earlier connection is refused, whatever the later one asked first", async () => {
    for (const first of ["renew", "acquire", "confirm", "attach", "release"] as const) {
      const a = await get().member(`a-${first}`);
      await a.take(`x ${first}`);
      a.connection = 2;
      const item = { name: `x ${first}`, claim: 1, token: 900, value: VALUE };
      const rest = { items: [{ ...item, proposal: 1, ticket: undefined, leave: true }] };
      await a.ask(first, rest as never);
      const late = [
        a.ask("renew", {}, 1),
        a.ask("acquire", { items: [{ ...item, name: "late", proposal: 1, ticket: 0 }] }, 1),
        a.ask("confirm", { items: [item] }, 1),
        a.ask("attach", { items: [{ ...item, name: "late" }] }, 1),
        a.ask("release", { items: [{ name: item.name, claim: 1, leave: true }] }, 1),
        a.ask("close", {}, 1),
      ];
      expect((await Promise.all(late)).map(({ kind }) => kind)).toEqual(late.map(() => "stale"));
      expect(await a.read("late")).toEqual({ kind: "none" });
      expect(await a.renew()).toMatchObject({ kind: "kept" });
    }
  });

  test("a connection that breaks is told, and made again", async () => {
    const a = await get().member("a");
    await get().harness.cut(SERVER);
    await eventually(() => !a.peer.isConnected(SERVER), { withinMs: 10_000 });
    await get().harness.heal(SERVER);
    await a.peer.connected(SERVER);
    expect(a.peer.calls.filter((call) => call.endsWith(`connected ${SERVER}`))).toEqual([
      `connected ${SERVER}`,
      `disconnected ${SERVER}`,
      `connected ${SERVER}`,
    ]);
    a.connection = 2;
    expect(await a.renew()).toMatchObject({ kind: "kept" });
  });

  test("close is idempotent, and after it nothing is called back", async () => {
    const a = await get().member("a");
    void a.renew();
    await Promise.all([a.peer.close(), a.peer.close()]);
    const calls = a.peer.calls.length;
    void a.renew();
    await get().harness.cut(SERVER);
    await get().harness.heal(SERVER);
    expect(await get().status()).toMatchObject({ kind: "ready" });
    expect(a.peer.calls.length).toBe(calls);
  });
}
