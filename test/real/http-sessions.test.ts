import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http-client.ts";
import { NatsServer } from "../support/nats-server.ts";
import { RedisServer } from "../support/redis-server.ts";
import { ServiceProcess } from "../support/service-process.ts";

const CLUSTER = "http-sessions";
const SOON = { withinMs: 20_000 };

let nats: NatsServer;
let redis: readonly RedisServer[] = [];
let env: Readonly<Record<string, string>>;
let first: ServiceProcess;
let second: ServiceProcess;
let here: HttpClient;
let there: HttpClient;

beforeAll(async () => {
  nats = await NatsServer.start();
  redis = await Promise.all(Array.from({ length: 3 }, () => RedisServer.start()));
  env = {
    NATS_URL: nats.url,
    REDIS_URLS: redis.map(({ url }) => url).join(","),
    ROLLCALL_LEASE_TTL_MS: "3000",
    ROLLCALL_CLUSTER: CLUSTER,
  };
  [first, second] = await Promise.all([start("first"), start("second")]);
  here = new HttpClient(first.url);
  there = new HttpClient(second.url);
});

afterAll(async () => {
  await first?.kill();
  await second?.kill();
  await Promise.all(redis.map((server) => server[Symbol.asyncDispose]()));
  await nats?.[Symbol.asyncDispose]();
});

function start(name: string, ...flags: string[]): Promise<ServiceProcess> {
  return ServiceProcess.start({ env: { ...env, ROLLCALL_NODE: name }, flags });
}

async function knows(client: HttpClient, name: string, pid: string | undefined): Promise<void> {
  await eventually(
    async () => (await client.get(`/v1/names/${encodeURIComponent(name)}`)).body["pid"] === pid,
    SOON,
  );
}

describe("a session", () => {
  test("holds names that every node knows, and loses them when it is closed", async () => {
    const session = await here.openSession();
    const name = "a/b c?%#é";
    const put = await session.ask("PUT", `/names/${encodeURIComponent(name)}`, { meta: { of: "test" } });
    expect(put).toMatchObject({ status: 201, body: { name, pid: session.pid, meta: { of: "test" } } });
    await knows(there, name, session.pid);
    const other = await there.openSession();
    const taken = await other.ask("PUT", `/names/${encodeURIComponent(name)}`);
    expect(taken).toMatchObject({ status: 409, body: { code: "NAME_TAKEN", holder: session.pid } });
    expect(taken.headers.get("content-type")).toBe("application/problem+json");
    await session.ask("DELETE", "");
    await knows(there, name, undefined);
    expect(await session.ask("GET", "")).toMatchObject({ status: 404, body: { code: "NO_SUCH_SESSION" } });
    await other.ask("DELETE", "");
  });

  test("takes a name over, and whoever held it is told", async () => {
    const loser = await here.openSession();
    const winner = await there.openSession();
    await loser.ask("PUT", "/names/coveted");
    await knows(there, "coveted", loser.pid);
    using events = loser.events();
    expect(await winner.ask("PUT", "/names/coveted", { takeOver: true })).toMatchObject({ status: 201 });
    const { data } = await events.saw(({ event }) => event === "nameTakenOver");
    expect(data).toMatchObject({ name: "coveted", by: winner.pid });
    expect(await loser.ask("DELETE", "/names/coveted")).toMatchObject({ body: { code: "NOT_HELD" } });
    await loser.ask("DELETE", "");
    await winner.ask("DELETE", "");
  });

  test("ends when nothing was heard of it for its time, and everything it held is purged", async () => {
    const session = await here.openSession({ ttlMs: 1_000 });
    const watcher = await there.openSession();
    await session.ask("PUT", "/names/short-lived");
    await session.ask("PUT", "/groups/short-lived");
    await knows(there, "short-lived", session.pid);
    using events = watcher.events();
    const { body } = await watcher.ask("POST", "/monitors", { target: { name: "short-lived" } });
    const down = await events.saw(({ event }) => event === "down");
    expect(down.data).toMatchObject({
      monitor: body["monitor"],
      pid: session.pid,
      reason: { kind: "shutdown" },
    });
    await knows(there, "short-lived", undefined);
    expect((await there.get("/v1/groups?prefix=short-lived")).body).toEqual({ items: [] });
    await watcher.ask("DELETE", "");
  });

  test("lives for as long as something is heard of it, or somebody reads its events", async () => {
    const asking = await here.openSession({ ttlMs: 1_000 });
    const reading = await here.openSession({ ttlMs: 1_000 });
    using events = reading.events();
    const untilMs = Date.now() + 2_500;
    await eventually(async () => {
      expect((await asking.ask("GET", "")).status).toBe(200);
      return Date.now() > untilMs;
    }, SOON);
    expect(events.hasEnded).toBe(false);
    expect((await reading.ask("GET", "")).body).toMatchObject({ expiresInMs: null });
    events[Symbol.dispose]();
    // From then on its time runs.
    await eventually(
      async () => (await here.get(`/v1/sessions/${reading.id}`)).body["expiresInMs"] !== null,
      SOON,
    );
    await asking.ask("DELETE", "");
    await reading.ask("DELETE", "");
  });

  test("holds strict names with a token, and the next holder's is higher", async () => {
    const one = await here.openSession();
    const other = await there.openSession();
    const held = await one.ask("PUT", "/strict-names/leader", { meta: "one", timeoutMs: 20_000 });
    expect(held).toMatchObject({ status: 201, body: { name: "leader", pid: one.pid } });
    expect((await there.get("/v1/strict-names/leader")).body).toMatchObject({
      pid: one.pid,
      token: held.body["token"],
      meta: "one",
    });
    expect(await other.ask("PUT", "/strict-names/leader")).toMatchObject({ status: 409 });
    const waiting = other.ask("PUT", "/strict-names/leader", { wait: true, timeoutMs: 20_000 });
    await one.ask("DELETE", "/strict-names/leader");
    const next = await waiting;
    expect(next.status).toBe(201);
    expect(BigInt(String(next.body["token"]))).toBeGreaterThan(BigInt(String(held.body["token"])));
    expect((await other.ask("GET", "")).body["strictNames"]).toEqual([
      { scope: "default", name: "leader", token: next.body["token"] },
    ]);
    await one.ask("DELETE", "");
    await other.ask("DELETE", "");
    const free = await here.get("/v1/strict-names/leader");
    expect(free).toMatchObject({ status: 404, body: { code: "NO_SUCH_NAME" } });
  });
});

describe("messages", () => {
  test("to a group, a name and a pid reach sessions anywhere, in order", async () => {
    const session = await here.openSession();
    await session.ask("PUT", "/groups/room", { meta: { seat: 1 } });
    await session.ask("PUT", "/names/listener");
    await knows(there, "listener", session.pid);
    await eventually(async () => {
      const { body } = await there.get("/v1/groups/room/members");
      return (body["items"] as unknown[]).length === 1;
    }, SOON);
    using events = session.events();
    const speaker = await there.openSession();
    await there.ask("POST", "/v1/groups/room/publish", { message: 1 });
    await there.ask("POST", "/v1/send", { to: { name: "listener" }, message: 2 });
    await there.ask("POST", "/v1/send", { to: { pid: session.pid }, message: 3, from: speaker.id });
    await events.saw(({ id }) => id === "3");
    expect(events.events.map(({ data }) => data)).toEqual([
      { id: 1, kind: "message", message: 1 },
      { id: 2, kind: "message", message: 2 },
      { id: 3, kind: "message", message: 3, from: speaker.pid },
    ]);
    await session.ask("DELETE", "");
    await speaker.ask("DELETE", "");
  });

  test("a call waits for the session's answer, be it a result or a failure", async () => {
    const session = await here.openSession();
    await session.ask("PUT", "/names/answerer");
    await knows(there, "answerer", session.pid);
    using events = session.events();
    const call = (message: unknown) => there.ask("POST", "/v1/call", { to: { name: "answerer" }, message });
    const good = call("ask");
    const asked = await events.saw(({ data }) => data["message"] === "ask");
    await session.ask("POST", "/replies", { call: asked.data["call"], result: { fine: true } });
    expect(await good).toMatchObject({ status: 200, body: { result: { fine: true } } });
    const bad = call("fail");
    const failing = await events.saw(({ data }) => data["message"] === "fail");
    await session.ask("POST", "/replies", { call: failing.data["call"], error: "not today" });
    const failed = await bad;
    expect(failed).toMatchObject({ status: 502, body: { code: "CALL_FAILED" } });
    expect(failed.body["detail"]).toContain("not today");
    const again = await session.ask("POST", "/replies", { call: failing.data["call"], result: 1 });
    expect(again).toMatchObject({ status: 404, body: { code: "NO_SUCH_CALL" } });
    const lost = call("never");
    await events.saw(({ data }) => data["message"] === "never");
    await session.ask("DELETE", "");
    expect(await lost).toMatchObject({ status: 404, body: { code: "NO_SUCH_PROCESS" } });
  });

  test("are told again to one that comes back with the last id it has, by stream or by poll", async () => {
    const session = await here.openSession();
    const say = (message: unknown) => here.ask("POST", "/v1/send", { to: { pid: session.pid }, message });
    for (const message of ["a", "b", "c"]) await say(message);
    using broken = session.events();
    await broken.saw(({ id }) => id === "3");
    broken[Symbol.dispose]();
    using back = session.events("1");
    await back.saw(({ id }) => id === "3");
    expect(back.events.map(({ data }) => data["message"])).toEqual(["b", "c"]);
    const polled = await session.ask("GET", "/events?after=2");
    expect(polled.body).toMatchObject({ events: [{ id: 3, message: "c" }], next: 3 });
    const waiting = session.ask("GET", "/events?after=3&waitMs=20000");
    await say("d");
    expect((await waiting).body).toMatchObject({ events: [{ id: 4, message: "d" }], next: 4 });
    expect((await session.ask("GET", "/events?after=4")).body).toEqual({ events: [], next: 4 });
    await session.ask("DELETE", "");
  });

  test("a second reader takes the place of the first", async () => {
    const session = await here.openSession();
    using one = session.events();
    await eventually(async () => (await session.ask("GET", "")).body["expiresInMs"] === null, SOON);
    using two = session.events();
    await one.saw(({ event }) => event === "replaced");
    await eventually(() => one.hasEnded, SOON);
    await here.ask("POST", "/v1/send", { to: { pid: session.pid }, message: 1 });
    await two.saw(({ event }) => event === "message");
    await session.ask("DELETE", "");
    await two.saw(({ event }) => event === "ended");
  });
});

describe("the end of a server", () => {
  test("killed, what its sessions held is gone everywhere", async () => {
    const third = await start("third");
    const session = await new HttpClient(third.url).openSession();
    await session.ask("PUT", "/names/doomed");
    await session.ask("PUT", "/groups/doomed");
    await knows(there, "doomed", session.pid);
    using watch = there.stream("/v1/watch/names?prefix=doomed");
    await watch.saw(({ event }) => event === "state");
    await third.kill();
    const gone = await watch.saw(({ event }) => event === "unregistered");
    expect(gone.data).toMatchObject({ name: "doomed", pid: session.pid, reason: { kind: "nodeDown" } });
    await knows(here, "doomed", undefined);
  });

  test("asked to end, it says that it is not ready, tells its sessions, serves on, and exits with 0", async () => {
    await using third = await start("third", "--linger-ms", "1500");
    const client = new HttpClient(third.url);
    const session = await client.openSession();
    await session.ask("PUT", "/names/leaving");
    using events = session.events();
    expect((await client.get("/readyz")).status).toBe(200);
    third.signal("SIGTERM");
    await events.saw(({ event }) => event === "draining");
    expect(await client.get("/readyz")).toMatchObject({ status: 503, body: { ready: false } });
    expect((await client.get("/v1/names/leaving")).status).toBe(200);
    expect((await client.get("/livez")).status).toBe(200);
    await events.saw(({ event }) => event === "ended");
    expect(await third.ended()).toBe(0);
    await knows(here, "leaving", undefined);
  });

  test("asked twice, it ends at once", async () => {
    await using third = await start("third", "--linger-ms", "20000");
    const session = await new HttpClient(third.url).openSession();
    using events = session.events();
    await eventually(async () => (await session.ask("GET", "")).body["expiresInMs"] === null, SOON);
    third.signal("SIGTERM");
    await events.saw(({ event }) => event === "draining");
    third.signal("SIGTERM");
    expect(await third.ended()).toBe(143);
  });
});
