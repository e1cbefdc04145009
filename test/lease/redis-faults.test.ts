import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ITEMS_PER_REQUEST, WAITERS_PER_NAME } from "../../src/lease/limits.ts";
import { type LeaseReply, makeSessionId } from "../../src/lease/requests.ts";
import { redisLeases } from "../../src/redis.ts";
import { Member, only, VALUE } from "../contract/lease/member.ts";
import { eventually, pause } from "../support/eventually.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { guardOf, RedisStage, runsOf } from "./redis-stage.ts";

/** Long enough that nothing ends while a test runs that does not wait for it. */
const TTL_MS = 20_000;

let stage: RedisStage;
beforeEach(() => {
  stage = new RedisStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const acquiring = (name: string, claim = 1) => ({
  items: [{ name, claim, proposal: 1, value: VALUE, ticket: undefined }],
});

async function restart(server: RedisServer): Promise<void> {
  await server.kill();
  await server.run();
}

describe("a server that may have forgotten keeps out", () => {
  test("killed, and back with nothing", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    await member.take("x");
    await server.kill();
    await eventually(() => {
      void member.renew();
      return !member.peer.isConnected(0);
    });
    // Nothing is known of what was sent on a connection that was about to end.
    expect(member.peer.calls).not.toContain("failed 0");
    await server.run();
    expect(await guardOf(member.peer)).toMatchObject({ needsFloor: true, empty: true });
    expect(await member.renew()).toMatchObject({ kind: "guarded" });
  });

  test("killed, and back with the data of an earlier time", async () => {
    const server = await stage.server({ config: "dbfilename leases.rdb" });
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    await member.take("x");
    await server.ask("SAVE");
    await member.release("x");
    await restart(server);
    // The session and the vote are there again, and nobody is told so.
    expect(await server.ask("EXISTS", "rollcall:{default}:vote:x")).toBe(1);
    expect(await guardOf(member.peer)).toMatchObject({ needsFloor: true, empty: false });
    const read = await member.peer.ask(0, { kind: "read", names: ["x"] });
    expect(read).toMatchObject({ kind: "guarded" });
  });

  test("killed, and back with all of its data", async () => {
    const server = await stage.server({ config: "appendonly yes\nappendfsync always" });
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    await member.take("x", { proposal: 7_000 });
    await restart(server);
    const { guard, waitMs } = await guardOf(member.peer);
    expect(waitMs).toBeGreaterThan(TTL_MS);
    // Somebody who takes it for new.
    const recover = { kind: "recover", guard, floor: 9_000, first: true } as const;
    expect(await member.peer.ask(0, recover)).toMatchObject({ kind: "guarded", guard, needsFloor: true });
    await restart(server);
    expect((await guardOf(member.peer)).guard).not.toBe(guard);
  });

  test("a primary that was a replica for a while, and has the same run id as before", async () => {
    const config = "repl-diskless-sync-delay 0";
    const [server, other] = [await stage.server({ config }), await stage.server({ config })];
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    await other.ask("REPLICAOF", "127.0.0.1", `${server.port}`);
    await eventually(async () =>
      /master_link_status:up/.test(String(await other.ask("INFO", "replication"))),
    );
    // A fail-over that nobody noticed, and which the last writes did not reach.
    await other.ask("REPLICAOF", "NO", "ONE");
    await member.take("x");
    await server.ask("REPLICAOF", "127.0.0.1", `${other.port}`);
    await eventually(async () =>
      /master_link_status:up/.test(String(await server.ask("INFO", "replication"))),
    );
    await server.ask("REPLICAOF", "NO", "ONE");
    expect(await server.ask("EXISTS", "rollcall:{default}:vote:x")).toBe(0);
    expect(await guardOf(member.peer)).toMatchObject({ needsFloor: true, empty: false });
  });

  test("stopped for longer than half a ttl, with requests waiting for it", async () => {
    const ttlMs = 1_000;
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs }));
    await member.take("x");
    server.signal("SIGSTOP");
    const late = [member.renew(), member.ask("acquire", acquiring("y"))];
    await pause(0.7 * ttlMs);
    server.signal("SIGCONT");
    const replies = await Promise.all(late);
    expect(replies).toMatchObject([
      { kind: "guarded", needsFloor: false },
      { kind: "guarded", needsFloor: false },
    ]);
  });

  test("whose clock has gone back", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    // As if it had been a second later at the last request.
    await server.ask("HINCRBY", "rollcall:{default}:state", "seen", "1000");
    const first = await guardOf(member.peer);
    expect(first).toMatchObject({ needsFloor: false, empty: false });
    expect(first.waitMs).toBeGreaterThan(TTL_MS);
    expect((await guardOf(member.peer)).guard).toBe(first.guard);
    await server.ask("HINCRBY", "rollcall:{default}:state", "seen", "1000");
    expect((await guardOf(member.peer)).guard).not.toBe(first.guard);
  });

  test("as long as it has no configuration, the longest ttl of those who ask counts", async () => {
    const server = await stage.server();
    const brief = stage.peer(redisLeases(server.url, { ttlMs: 1_000 }), "brief");
    const long = stage.peer(redisLeases(server.url, { ttlMs: TTL_MS }), "long");
    expect((await guardOf(brief)).waitMs).toBeLessThan(2_000);
    expect((await guardOf(long)).waitMs).toBeGreaterThan(TTL_MS - 2_000);
  });
});

describe("nothing is carried out twice", () => {
  test("a request whose connection breaks before the answer", async () => {
    const server = await stage.server();
    const proxy = await stage.proxy(server.port);
    const store = redisLeases(`redis://127.0.0.1:${proxy.port}`, { ttlMs: TTL_MS });
    const member = await stage.member(store);
    await server.ask("CONFIG", "RESETSTAT");
    server.signal("SIGSTOP");
    const answers: LeaseReply[] = [];
    for (let claim = 1; claim <= 20; claim += 1) {
      void member.ask("acquire", acquiring("x", claim)).then((answer) => answers.push(answer));
    }
    // Through the proxy, into the server's socket.
    await eventually(() => proxy.forwarded > 20 * SHA_BYTES);
    proxy.cut();
    await eventually(() => !member.peer.isConnected(0));
    proxy.heal();
    server.signal("SIGCONT");
    await member.peer.connected(0);
    member.connection = 2;
    expect(await member.renew()).toMatchObject({ kind: "kept" });
    // Twenty at most, and the renewal.
    expect(await runsOf(server)).toBeLessThanOrEqual(21);
    expect(answers).toEqual([]);
    expect(member.peer.calls).not.toContain("failed 0");
    // Neither are they kept to be sent later.
    expect(await member.renew()).toMatchObject({ kind: "kept" });
    expect(await runsOf(server)).toBeLessThanOrEqual(22);
  });

  test("what is asked while there is no connection is dropped", async () => {
    const server = await stage.server();
    const proxy = await stage.proxy(server.port);
    const member = await stage.member(redisLeases(`redis://127.0.0.1:${proxy.port}`, { ttlMs: TTL_MS }));
    proxy.cut();
    await eventually(() => !member.peer.isConnected(0));
    await server.ask("CONFIG", "RESETSTAT");
    void member.ask("acquire", acquiring("x"));
    proxy.heal();
    await member.peer.connected(0);
    expect(await member.read("x")).toEqual({ kind: "none" });
    expect(await runsOf(server)).toBe(1);
  });

  test("a script that was flushed: one request is carried out all the same", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    await server.ask("SCRIPT", "FLUSH");
    expect(await member.take("x")).toBe(101);
    expect(await member.take("y")).toBe(101);
    expect(member.peer.warnings.filter((warning) => !warning.includes("one Redis only"))).toEqual([]);
  });

  test("a script that was flushed: of several, those that might overtake each other are given up", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    await server.ask("SCRIPT", "FLUSH");
    const names = Array.from({ length: 10 }, (_, index) => `name ${index}`);
    const replies = await Promise.all(names.map((name) => member.ask("acquire", acquiring(name))));
    const done = replies.map(({ kind }) => kind === "acquired");
    expect(done).toContain(false);
    for (const [index, reply] of replies.entries()) {
      if (reply.kind !== "acquired") expect(reply).toMatchObject({ kind: "failed" });
      expect((await member.read(names[index] ?? "")).kind).toBe(done[index] ? "vote" : "none");
    }
    expect(await member.take("afterwards")).toBe(101);
  });

  test("a script that is flushed again and again as requests go on: they keep their order", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    for (let round = 0; round < 20; round += 1) {
      const flushed = server.ask("SCRIPT", "FLUSH");
      const asked: Promise<LeaseReply>[] = [];
      for (let claim = 1; claim <= 10; claim += 1) {
        asked.push(member.ask("acquire", acquiring(`x ${round}`, claim)));
        asked.push(member.ask("release", { items: [{ name: `x ${round}`, claim, leave: true }] }));
        if (claim % 3 === 0) await asked.at(-1);
      }
      await flushed;
      let holder: number | undefined;
      for (const [index, reply] of (await Promise.all(asked)).entries()) {
        const claim = 1 + Math.floor(index / 2);
        if (reply.kind === "failed") continue;
        if (reply.kind === "released") holder = holder === claim ? undefined : holder;
        else {
          const { kind } = only(reply, "acquired") as { kind: string };
          expect(kind).toBe(holder === undefined ? "granted" : "held");
          if (kind === "granted") holder = claim;
        }
      }
    }
  });
});

describe("connections", () => {
  test("a server that hangs is given up, and dialled until it answers", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: 1_000 }));
    server.signal("SIGSTOP");
    void member.renew();
    await eventually(() => !member.peer.isConnected(0), { withinMs: 5_000 });
    await eventually(() =>
      member.peer.warnings.some((warning) => warning.includes("cannot be reached: Socket timeout")),
    );
    server.signal("SIGCONT");
    await member.peer.connected(0);
    expect(await guardOf(member.peer)).toMatchObject({ needsFloor: false });
  });

  test("close sends what is pending, and leaves no connection", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    const items = Array.from({ length: 256 }, (_, index) => acquiring(`x ${index}`).items[0]);
    for (let round = 0; round < 20; round += 1) void member.ask("acquire", { items } as never);
    void member.ask("acquire", acquiring("the last"));
    await member.peer.close();
    await eventually(async () => (await server.ask("EXISTS", "rollcall:{default}:vote:the last")) === 1);
    const clients = String(await server.ask("CLIENT", "LIST"))
      .trim()
      .split("\n");
    expect(clients.filter((client) => client.includes("name=a"))).toEqual([]);
  });

  test("close does not wait for a server that hangs, nor for one that is being dialled", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(server.url, { ttlMs: TTL_MS }));
    server.signal("SIGSTOP");
    const dialling = stage.peer(redisLeases(server.url, { ttlMs: TTL_MS }), "b");
    const before = performance.now();
    void member.renew();
    await Promise.all([member.peer.close(), dialling.close()]);
    expect(performance.now() - before).toBeLessThan(3_000);
    server.signal("SIGCONT");
  });
});

test("a session whose vote was given to somebody else has ended, also in the millisecond in which it ends", async () => {
  const server = await stage.server();
  const store = redisLeases(server.url, { ttlMs: 50, serverStepMs: 0 });
  const rival = await stage.member(store, "rival");
  let granted = 0;
  for (let round = 0; round < 10 || (granted === 0 && round < 100); round += 1) {
    const holders = Array.from(
      { length: 10 },
      (_, index) => new Member(rival.peer, 0, makeSessionId(`holder ${index}`, round)),
    );
    const item = { claim: 1, token: 1, value: VALUE };
    const asked: Promise<LeaseReply>[] = holders.flatMap((holder, index) => [
      holder.open(),
      holder.ask("acquire", acquiring(`${round} ${index}`)),
    ]);
    // More often than once in a millisecond, for as long as any of them has a session.
    for (let isOver = false; !isOver; ) {
      const lot: Promise<LeaseReply>[] = [];
      for (let pass = 0; pass < 5; pass += 1) {
        for (const [index, holder] of holders.entries()) {
          const name = `${round} ${index}`;
          lot.push(
            rival.ask("acquire", acquiring(name, 1)),
            holder.ask("confirm", { items: [{ ...item, name }] }),
          );
        }
      }
      const replies = await Promise.all(lot);
      for (let at = 0; at < replies.length; at += 2) {
        const [acquired, confirmed] = [replies[at], replies[at + 1]];
        if (acquired?.kind !== "acquired" || acquired.items[0]?.kind !== "granted") continue;
        granted += 1;
        expect(confirmed).toEqual({ kind: "noSession" });
      }
      // A machine that was too slow: the server keeps out, and the round is void.
      isOver = replies.some(({ kind }) => kind === "guarded") || replies.slice(-20).every(isEnd);
    }
    await Promise.all(asked);
    while ((await rival.peer.ask(0, { kind: "status" })).kind === "guarded") await pause(5);
    await rival.open();
  }
  expect(granted).toBeGreaterThan(0);
});

test("who finds a queue full is told so, and gets no ticket", async () => {
  const server = await stage.server();
  const store = redisLeases(server.url, { ttlMs: TTL_MS });
  const [a, b] = [await stage.member(store, "a"), await stage.member(store, "b")];
  await a.take("x");
  const asked: Promise<LeaseReply>[] = [];
  for (let claim = 1; claim <= WAITERS_PER_NAME; claim += ITEMS_PER_REQUEST) {
    const length = Math.min(ITEMS_PER_REQUEST, WAITERS_PER_NAME + 1 - claim);
    const items = Array.from({ length }, (_, index) => ({
      ...acquiring("x", claim + index).items[0],
      ticket: 0,
    }));
    asked.push(b.ask("acquire", { items } as never));
  }
  await Promise.all(asked);
  const last = { claim: WAITERS_PER_NAME, ticket: 0 };
  expect(await b.acquire("x", last)).toMatchObject({ ticket: WAITERS_PER_NAME, ahead: WAITERS_PER_NAME - 1 });
  const more = await a.acquire("x", { claim: 2, ticket: 0 });
  expect(more).toMatchObject({ kind: "held", ticket: undefined, ahead: WAITERS_PER_NAME });
});

describe("what ended sessions leave behind", () => {
  test("is cleared away by later requests, a bounded lot at each, and their tokens count", async () => {
    const server = await stage.server();
    const store = redisLeases(server.url, { ttlMs: TTL_MS });
    const [a, b] = [await stage.member(store, "a"), await stage.member(store, "b")];
    const names = Array.from({ length: 200 }, (_, index) => `name ${index}`);
    const items = names.map((name) => ({ name, claim: 1, proposal: 5_000, value: VALUE, ticket: 0 }));
    await a.ask("acquire", { items });
    await b.ask("acquire", { items });
    // Kept for b from here on, which leaves something behind too.
    await a.release("name 0");
    const keys = async (): Promise<number> => ((await server.ask("KEYS", "*")) as unknown[]).length;
    const before = await keys();
    await a.ask("close", {});
    const [afterOne] = [await keys()];
    expect(before - afterOne).toBeGreaterThan(0);
    expect(before - afterOne).toBeLessThan(100);
    await b.ask("close", {});
    await eventually(async () => {
      await b.peer.ask(0, { kind: "status" });
      return (await keys()) === 1;
    });
    expect(await server.ask("KEYS", "*")).toEqual(["rollcall:{default}:state"]);
    const c = await stage.member(store, "c");
    expect(await c.take("name 7")).toBe(5_001);
  });

  test("is not cleared away once it is somebody else's, and does not hold anybody up before", async () => {
    const server = await stage.server();
    const store = redisLeases(server.url, { ttlMs: TTL_MS });
    const [a, b] = [await stage.member(store, "a"), await stage.member(store, "b")];
    const names = Array.from({ length: 200 }, (_, index) => `name ${index}`);
    const items = names.map((name) => ({ name, claim: 1, proposal: 5_000, value: VALUE, ticket: 0 }));
    await a.ask("acquire", { items });
    await b.ask("acquire", { items });
    await a.ask("close", {});
    const granted = await b.ask("acquire", { items });
    expect(granted).toMatchObject({ items: names.map(() => ({ kind: "granted" })) });
    for (let request = 0; request < 20; request += 1) await b.renew();
    expect(await server.ask("EXISTS", "rollcall:{default}:names:a#1")).toBe(0);
    const read = await b.peer.ask(0, { kind: "read", names });
    expect(read).toMatchObject({ items: names.map(() => ({ kind: "vote", vote: { session: b.id } })) });
  });
});

/** Far less than one request takes. */
const SHA_BYTES = 40;

/** Of a rival that has got the name, or a holder that has lost its session. */
function isEnd(reply: LeaseReply): boolean {
  return reply.kind === "noSession" || (reply.kind === "acquired" && reply.items[0]?.kind === "granted");
}
