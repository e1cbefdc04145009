import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { natsBus, startNode } from "../../src/index.ts";
import { redisLeases } from "../../src/redis.ts";
import { rollcall, type Variables } from "../support/cli/command.ts";
import { eventually, pause } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { NatsServer } from "../support/nats-server.ts";
import { RedisServer } from "../support/redis-server.ts";

const TTL_MS = 1_000;

interface Report {
  readonly code: number | null;
  readonly findings: readonly Finding[];
  /** As `level check: what`. */
  readonly lines: readonly string[];
}

async function doctor(variables: Variables, ...flags: readonly string[]): Promise<Report> {
  const { code, stderr, stdout } = await rollcall(["doctor", "--json", ...flags], variables);
  expect(stderr).toBe("");
  const findings = JSON.parse(stdout) as readonly Finding[];
  return { code, findings, lines: findings.map(({ check, level, what }) => `${level} ${check}: ${what}`) };
}

test("the doctor finds nothing wrong with a cluster that works, and leaves no trace on lease servers that nobody used", async () => {
  await using nats = await NatsServer.start();
  await using a = await RedisServer.start();
  await using b = await RedisServer.start();
  await using c = await RedisServer.start();
  const urls = [a, b, c].map(({ url }) => url);
  const variables = {
    NATS_URL: nats.url,
    REDIS_URLS: urls.join(","),
    ROLLCALL_LEASE_TTL_MS: String(TTL_MS),
  };
  const fresh = await doctor(variables);
  expect(fresh.code).toBe(0);
  expect(fresh.lines).toContain(
    "skipped leases: no node has kept leases there yet, so it was not tried to take part",
  );
  expect(await a.ask("DBSIZE")).toBe(0);

  const bus = natsBus({ servers: nats.url });
  await using node = await startNode({
    cluster: "default",
    name: "web-1",
    bus,
    leases: redisLeases(urls, { ttlMs: TTL_MS }),
  });
  await node.strictNames.register("job", node.spawn(), { wait: true, timeoutMs: 20_000 });
  const used = await doctor(variables);
  expect(used.code, used.lines.join("\n")).toBe(0);
  expect(used.findings.filter(({ level }) => level !== "ok").map(({ check }) => check)).toStrictEqual([
    "clocks",
  ]);
  expect(used.lines).toContain("ok leases: 3 of 3 lease servers take part, 2 are needed");
  expect(used.lines).toContain('ok cluster: joined cluster "default": web-1');

  // With another TTL than the others have: the library itself says so.
  const other = await doctor({ ...variables, ROLLCALL_LEASE_TTL_MS: "2000" });
  expect(other.code).toBe(1);
  expect(
    other.lines.some((line) =>
      /^warn leases: .*settings|^warn leases: .*differ|^warn leases: .*other/.test(line),
    ),
    other.lines.join("\n"),
  ).toBe(true);
  expect(other.lines).toContain("fail leases: 0 of 3 lease servers take part, 2 are needed");
});

test("the doctor finds servers that evict, are the same, or have lost what was kept there", async () => {
  await using a = await RedisServer.start();
  await using evicting = await RedisServer.start({ config: "maxmemory 100mb\nmaxmemory-policy allkeys-lru" });
  const variables = {
    ROLLCALL_BUS_PORT: String(await freePort()),
    REDIS_URLS: [a.url, a.url.replace("127.0.0.1", "localhost"), evicting.url].join(","),
  };
  const { code, findings, lines } = await doctor(variables);
  expect(code).toBe(1);
  const failed = lines.filter((line) => line.startsWith("fail")).join("\n");
  expect(failed).toContain(`localhost:${a.port} is the same process as 127.0.0.1:${a.port}`);
  expect(failed).toContain("it may evict leases: its maxmemory-policy is allkeys-lru");
  for (const { level, remedy } of findings) if (level === "fail") expect(remedy).toMatch(/\w/);
});

test("the doctor finds that a majority was wiped, and says what an operator has to do", async () => {
  await using nats = await NatsServer.start();
  await using a = await RedisServer.start();
  await using b = await RedisServer.start();
  await using c = await RedisServer.start();
  const urls = [a, b, c].map(({ url }) => url);
  const bus = natsBus({ servers: nats.url });
  {
    await using node = await startNode({ cluster: "x", bus, leases: redisLeases(urls, { ttlMs: TTL_MS }) });
    await node.strictNames.register("job", node.spawn(), { wait: true, timeoutMs: 20_000 });
    await eventually(() => node.stats().leases.reached === 3);
  }
  // One comes back with its data, of which nobody knows how old they are, the other one without.
  await a.ask("SAVE");
  for (const server of [a, b]) {
    await server.kill();
    await server.run();
  }
  const variables = {
    NATS_URL: nats.url,
    REDIS_URLS: urls.join(","),
    ROLLCALL_LEASE_TTL_MS: String(TTL_MS),
  };
  const expectClosed = ({ code, findings, lines }: Report): void => {
    expect(code).toBe(1);
    const closed = findings.find(({ what }) => what.includes("strict names stay closed"));
    expect(closed, lines.join("\n")).toMatchObject({ level: "fail" });
    expect(closed?.remedy).toContain("ROLLCALL_LEASE_NAMESPACE");
  };
  expectClosed(await doctor(variables));
  // Nor when a node has been there since, and both know that they have to learn from others.
  await using _ = await startNode({ cluster: "x", bus, leases: redisLeases(urls, { ttlMs: TTL_MS }) });
  for (const server of [a, b]) {
    const needsFloor = () => server.ask("HGET", "rollcall:{default}:state", "needsFloor");
    await eventually(async () => (await needsFloor()) === "1");
  }
  expectClosed(await doctor(variables));
});

test("the doctor finds permissions that are missing, and a payload that is too small", async () => {
  const template =
    /permissions: \{[\s\S]*?\n\}/.exec(readFileSync("docs/architecture.md", "utf8"))?.[0] ?? "";
  const user = (name: string, permissions: string) => `{ user: "${name}", password: "p", ${permissions} }`;
  const right = template.replaceAll("web-1", "web-2");
  const wrong = template.replace("rc.*.all.web-1", "rc.*.all.nobody");
  await using server = await NatsServer.start({
    config: `max_payload: 65536\nauthorization: { users: [ ${user("web-1", wrong)}, ${user("web-2", right)} ] }`,
  });
  const at = (name: string): Variables => ({ NATS_URL: `nats://${name}:p@127.0.0.1:${server.port}` });
  const allowed = await doctor(at("web-2"), "--node", "web-2");
  expect(allowed.lines.some((line) => line.includes("takes 65536 bytes at once"))).toBe(true);
  expect(allowed.lines.filter((line) => line.includes("permissions"))).toStrictEqual([]);
  expect(allowed.code).toBe(0);
  const refused = await doctor(at("web-1"), "--node", "web-1");
  expect(
    refused.lines.some((line) => /^fail permissions: .*forbid publish of rc\./.test(line)),
    refused.lines.join("\n"),
  ).toBe(true);
  expect(refused.code).toBe(1);
  const stranger = await doctor({ NATS_URL: `nats://web-1:wrong@127.0.0.1:${server.port}` });
  expect(stranger.code).toBe(1);
  expect(stranger.lines.join("\n")).not.toContain("wrong@");
});

test("the doctor tells of a node with another secret, and of the embedded bus", async () => {
  await using nats = await NatsServer.start();
  await using _ = await startNode({
    cluster: "default",
    secret: "this is the secret",
    bus: natsBus({ servers: nats.url }),
  });
  const { code, lines } = await doctor({ NATS_URL: nats.url, ROLLCALL_SECRET: "this is another" });
  expect([code, lines.some((line) => line.startsWith("fail secret:"))], lines.join("\n")).toStrictEqual([
    1,
    true,
  ]);
  const alone = await doctor({ ROLLCALL_BUS_PORT: String(await freePort()) });
  expect(alone.code).toBe(0);
  expect(alone.lines.some((line) => /^warn bus: the embedded bus/.test(line))).toBe(true);
});

test("the doctor ends although the NATS server hangs, and finds lease servers well that nobody used for longer than a ttl", async () => {
  await using hung = await NatsServer.start({ jetstream: true });
  hung.signal("SIGSTOP");
  expect((await doctor({ NATS_URL: hung.url })).code).toBe(1);
  hung.signal("SIGCONT");
  await using nats = await NatsServer.start();
  await using redis = await RedisServer.start();
  const variables = {
    NATS_URL: nats.url,
    REDIS_URLS: redis.url,
    ROLLCALL_LEASE_TTL_MS: String(TTL_MS),
  };
  await rollcall(["whereis", "nobody", "--strict"], variables);
  // Nothing tells from outside when a server has been left alone for long enough: that is what the time is for.
  await pause(2 * TTL_MS);
  const { code, lines } = await doctor(variables);
  expect([code, lines.filter((line) => line.startsWith("fail"))]).toEqual([0, []]);
}, 120_000);
