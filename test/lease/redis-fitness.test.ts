import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { redisLeases } from "../../src/redis.ts";
import { makeCertificates } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { RedisStage } from "./redis-stage.ts";

let stage: RedisStage;
beforeEach(() => {
  stage = new RedisStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

/** What the document lists for an ACL: all that follows the keys. */
const [, COMMANDS = ""] =
  /~rollcall:\{default\}:\*([^`]*)```/.exec(readFileSync("docs/redis.md", "utf8")) ?? [];

describe("servers that are not fit for leases are refused, with the remedy", () => {
  test.each(["allkeys-lru", "volatile-ttl"])("one that may evict data: %s", async (policy) => {
    const server = await stage.server({ config: `maxmemory 100mb\nmaxmemory-policy ${policy}` });
    const warning = await stage.warningOf(server.url);
    expect(warning).toContain(`Redis 127.0.0.1:${server.port}: `);
    expect(warning).toContain(`maxmemory-policy is ${policy}`);
    expect(warning).toContain("set `maxmemory-policy noeviction`");
  });

  test("once it is put right it is used, without anything being started again", async () => {
    const server = await stage.server({ config: "maxmemory-policy allkeys-lru" });
    const proxy = await stage.proxy(server.port);
    const peer = stage.peer(redisLeases(`redis://127.0.0.1:${proxy.port}`));
    await eventually(() => proxy.connections > 3);
    await server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await peer.connected(0);
    expect(peer.warnings.filter((warning) => warning.includes("evict"))).toHaveLength(1);
  });

  test("a replica", async () => {
    const primary = await stage.server();
    const replica = await stage.server({ config: `replicaof 127.0.0.1 ${primary.port}` });
    expect(await stage.warningOf(replica.url)).toContain("it is a replica; give its primary");
  });

  test("a server that becomes a replica while it is used", async () => {
    const [server, other] = [await stage.server(), await stage.server()];
    const member = await stage.member(redisLeases(server.url));
    await server.ask("REPLICAOF", "127.0.0.1", `${other.port}`);
    expect(await member.renew()).toMatchObject({
      kind: "failed",
      message: expect.stringMatching(/^READONLY/),
    });
    await eventually(() => member.peer.warnings.some((warning) => warning.includes("give its primary")));
    expect(member.peer.isConnected(0)).toBe(false);
  });

  test("a member of a cluster", async () => {
    const server = await stage.server({ config: "cluster-enabled yes" });
    expect(await stage.warningOf(server.url)).toContain("`cluster-enabled no`");
  });

  test("two addresses, or two databases, of one server", async () => {
    const [server, other] = [await stage.server(), await stage.server()];
    const urls = [server.url, `${server.url}/1`, other.url];
    const peer = stage.peer(redisLeases(urls));
    await eventually(() => peer.warnings.some((warning) => warning.includes("it is the same server as")));
    expect(peer.warnings.join()).toContain("give each one a server of its own");
    await peer.connected(2);
    expect([0, 1].filter((index) => peer.isConnected(index))).toHaveLength(1);
  });

  test("one that nobody listens at is dialled until somebody does, and told once", async () => {
    const port = await freePort();
    const peer = stage.peer(redisLeases(`redis://127.0.0.1:${port}`));
    await eventually(() => peer.warnings.length > 0);
    expect(peer.warnings[0]).toContain("it cannot be reached");
    await stage.server({ port });
    await peer.connected(0);
    expect(peer.warnings.filter((warning) => warning.includes("it cannot be reached"))).toHaveLength(1);
  });
});

describe("passwords and permissions", () => {
  const SECRET = "s3cret/ü";
  const encoded = encodeURIComponent(SECRET);

  test("a password from the URL is used, and one that is wrong or missing is told without being shown", async () => {
    const server = await stage.server({ config: `requirepass ${SECRET}`, password: SECRET });
    const at = `127.0.0.1:${server.port}`;
    await stage.member(redisLeases(`redis://:${encoded}@${at}/3`));
    const wrong = await stage.warningOf(`redis://:wr0ng@${at}`);
    expect(wrong).toContain("it refuses the user or password: WRONGPASS");
    expect(wrong).not.toContain("wr0ng");
    expect(await stage.warningOf(`redis://${at}`)).toContain("it wants a password: NOAUTH");
  });

  test("a password that the server does not want is told, and does no harm", async () => {
    const server = await stage.server();
    const member = await stage.member(redisLeases(`redis://:${encoded}@127.0.0.1:${server.port}`));
    expect(member.peer.warnings.join()).toContain("it wants no password, and was given one");
    expect(member.peer.warnings.join()).not.toContain(SECRET);
  });

  test("a user who may do what the document lists, on these keys only, can do everything", async () => {
    const server = await stage.server();
    await server.ask(
      "ACL",
      "SETUSER",
      "rollcall",
      "on",
      `>${SECRET}`,
      "~rollcall:{ns}:*",
      ...COMMANDS.trim().split(/\s+/),
    );
    const url = `redis://rollcall:${encoded}@127.0.0.1:${server.port}`;
    const store = redisLeases(url, { namespace: "ns", ttlMs: 5_000 });
    const [a, b] = [await stage.member(store, "a"), await stage.member(store, "b")];
    await a.take("x");
    await b.acquire("x", { ticket: 0 });
    await b.acquire("x", { ticket: 4 });
    expect(await a.release("x")).toBe(b.id);
    await b.take("x", { ticket: 4 });
    await b.confirm("x", 900);
    await b.confirm("y", 900, "attach");
    await b.read("x");
    await b.ask("close", {});
    expect(await a.renew()).toMatchObject({ kind: "kept", maxToken: 900 });
    a.connection = 2;
    await a.confirm("x", 1);
    expect([...a.peer.calls, ...b.peer.calls].filter((call) => call.startsWith("failed"))).toEqual([]);
  });

  test("a command that is forbidden is named", async () => {
    const server = await stage.server();
    await server.ask("ACL", "SETUSER", "weak", "on", `>${SECRET}`, "~*", "+@all", "-info");
    const url = `redis://weak:${encoded}@127.0.0.1:${server.port}`;
    expect(await stage.warningOf(url)).toMatch(/it forbids a command that is needed: NOPERM .*info/);
  });
});

test("a server with TLS is used once its authority is known, and its certificate is looked at", async () => {
  const server = await stage.server();
  const files = makeCertificates(server.directory);
  const port = await freePort();
  await server.kill();
  await server.configure(
    `tls-port ${port}\ntls-cert-file ${files.cert}\ntls-key-file ${files.key}\ntls-auth-clients no`,
  );
  await server.run();
  const tls = { ca: readFileSync(files.ca) };
  const member = await stage.member(redisLeases(`rediss://localhost:${port}`, { tls }));
  expect(await member.take("x")).toBe(101);
  expect(await stage.warningOf(`rediss://localhost:${port}`)).toMatch(/cannot be reached: .*certificate/);
  expect(await stage.warningOf(`redis://localhost:${port}`)).toContain("cannot be reached");
});

test("one server alone works, and what it does not protect from is told once", async () => {
  const server = await stage.server();
  const proxy = await stage.proxy(server.port);
  const member = await stage.member(redisLeases(`redis://127.0.0.1:${proxy.port}`));
  expect(await member.take("x")).toBe(101);
  proxy.cut();
  await eventually(() => !member.peer.isConnected(0));
  proxy.heal();
  await member.peer.connected(0);
  expect(member.peer.warnings.filter((warning) => warning.includes("one Redis only"))).toHaveLength(1);
});

test("namespaces of one server know nothing of each other", async () => {
  const server = await stage.server();
  const [left, right] = ["left", "right"].map((namespace) => redisLeases(server.url, { namespace }));
  if (left === undefined || right === undefined) throw new Error("unreachable");
  const [a, b] = [await stage.member(left, "a"), await stage.member(right, "b")];
  await a.take("x");
  expect(await b.read("x")).toEqual({ kind: "none" });
  expect(await b.take("x")).toBe(101);
});
