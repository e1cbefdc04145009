import { describe, expect, test } from "vitest";
import { isLoopback, judgeNodeVersion, judgeRedisEncryption } from "../../../src/cli/doctor/machine.ts";
import { judgeServer } from "../../../src/cli/doctor/nats.ts";
import { judgeRedis, type RedisSeen } from "../../../src/cli/doctor/redis-servers.ts";

const well = (address: string, more: Partial<RedisSeen> = {}): RedisSeen => ({
  address,
  info: `redis_version:7.0.0\r\nrun_id:${address}\r\nconnected_slaves:0\r\n`,
  clock: { aheadMs: 3, withinMs: 1 },
  state: "kept",
  ...more,
});
const silent = (address: string): RedisSeen => ({
  address,
  info: undefined,
  error: "refused",
  state: "none",
});
const badIn = (seen: readonly RedisSeen[]): readonly string[] =>
  judgeRedis(seen)
    .findings.filter(({ level }) => level !== "ok")
    .map(({ level, what }) => `${level}: ${what}`);

describe("the doctor", () => {
  test("finds nothing wrong with three servers as they should be", () => {
    const report = judgeRedis(["a", "b", "c"].map((address) => well(address)));
    expect(report.isUsed).toBe(true);
    expect(report.findings.map(({ level }) => level)).toStrictEqual(Array(6).fill("ok"));
  });

  test.each<[string, readonly RedisSeen[], RegExp]>([
    [
      "a majority that is silent",
      [well("a"), silent("b"), silent("c")],
      /^fail: Redis b does not answer: refused/,
    ],
    ["one that is silent", [well("a"), well("b"), silent("c")], /^warn: Redis c does not answer/],
    [
      "what the library refuses",
      [well("a"), well("b"), well("c", { refusal: "it is a replica; give its primary" })],
      /^fail: Redis c: it is a replica$/,
    ],
    [
      "one process at two addresses",
      [well("a"), well("b"), well("c", { info: "run_id:a\r\n" })],
      /^fail: Redis c is the same process as a/,
    ],
    [
      "replicas",
      [well("a"), well("b"), well("c", { info: "run_id:c\r\nconnected_slaves:2\r\n" })],
      /^warn: Redis c has 2 replicas/,
    ],
    [
      "a disk that cannot be written",
      [well("a"), well("b"), well("c", { info: "run_id:c\r\nrdb_last_bgsave_status:err\r\n" })],
      /^warn: Redis c cannot save/,
    ],
    [
      "a majority that has lost its data",
      [well("a"), well("b", { state: "lost" }), well("c", { state: "none" })],
      /^fail: Redis b, c have lost what was kept there, or came later: too many/,
    ],
    [
      "a minority that has lost its data",
      [well("a"), well("b"), well("c", { state: "lost" })],
      /^warn: Redis c has lost what was kept there/,
    ],
    [
      "servers that nobody has used",
      [well("a", { state: "none" })],
      /^skipped: no node has kept leases there yet/,
    ],
    ["a single server", [well("a")], /^warn: strict names depend on a single Redis server/],
    [
      "a calendar that is off",
      [well("a", { clock: { aheadMs: -1_200, withinMs: 10 } })],
      /^warn: the calendar of Redis a is 1200 ms behind/,
    ],
    [
      "a calendar that nodes would refuse",
      [well("a", { clock: { aheadMs: 61_000, withinMs: 10 } })],
      /^fail: the calendar of Redis a is 61000 ms ahead/,
    ],
  ])("finds %s", (_what, seen, finding) => {
    const all = badIn(seen);
    expect(all.filter((line) => finding.test(line))).toHaveLength(1);
  });

  test("does not blame a calendar for what the way to it may have taken", () => {
    expect(badIn([well("a", { clock: { aheadMs: 1_200, withinMs: 300 } })]).join()).not.toContain("calendar");
  });

  test("takes part with lease servers only where a majority has been used", () => {
    const none = (address: string) => well(address, { state: "none" });
    expect(judgeRedis([well("a"), none("b"), none("c")]).isUsed).toBe(false);
    expect(judgeRedis([well("a"), well("b"), none("c")]).isUsed).toBe(true);
  });

  test("has a remedy for whatever is not well", () => {
    const findings = [
      judgeNodeVersion("v18.0.0"),
      ...judgeRedisEncryption({ redis: ["redis://10.0.0.1"] }),
      ...judgeServer(
        { host: "10.0.0.1", text: "10.0.0.1:4222", tls: false },
        { version: "2.8.0", max_payload: 1_024 },
      ),
      ...judgeRedis([silent("a")]).findings,
    ];
    expect(findings.length).toBe(7);
    for (const { level, remedy } of findings) expect([level === "ok", remedy ?? ""]).not.toContainEqual("");
  });

  test("sees by its greeting what a NATS server is like", () => {
    const address = { host: "a", text: "a:4222", tls: false };
    const greeting = { version: "2.10.1", max_payload: 1_048_576 };
    const levels = (more: object, tls = false): string =>
      judgeServer({ ...address, tls }, { ...greeting, ...more })
        .map(({ check, level }) => `${check} ${level}`)
        .join();
    expect(levels({})).toBe("bus ok,encryption warn");
    expect(levels({}, true)).toBe("bus ok");
    expect(levels({ tls_required: true })).toBe("bus ok");
    expect(levels({ tls_required: true, max_payload: 65_536 })).toBe("bus ok,bus warn");
    expect(levels({ tls_required: true, version: "2.8.4" })).toBe("bus warn");
  });

  test.each<[string, boolean]>([
    ["127.0.0.1", true],
    ["127.8.9.10", true],
    ["localhost", true],
    ["::1", true],
    ["128.0.0.1", false],
    ["127.0.0.1.example.com", false],
    ["redis", false],
  ])("takes %s for this machine: %s", (host, is) => {
    expect(isLoopback(host)).toBe(is);
  });
});
