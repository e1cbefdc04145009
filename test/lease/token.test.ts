import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { MAX_TOKEN } from "../../src/lease/limits.ts";
import { RedisServer } from "../support/redis-server.ts";

test("the Redis script that the documentation gives refuses lower tokens, and writes nothing then", async () => {
  const doc = readFileSync(new URL("../../docs/guarantees.md", import.meta.url), "utf8");
  const script = /```lua\n([\s\S]*?)```/.exec(doc)?.[1] ?? "";
  const server = await RedisServer.start();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const redis = new Redis({ host: "127.0.0.1", port: server.port });
  onTestFinished(() => redis.disconnect());
  const write = (token: bigint | number, value: string) =>
    redis.eval(script, 1, "billing:state", String(token), value);
  const written = () => redis.hget("billing:state", "value");

  const first = 1_795_220_000_123_456n;
  expect(await write(first, "one")).toBe(1);
  expect(await write(first, "two")).toBe(1);
  expect(await write(first + 1n, "three")).toBe(1);
  expect(await write(first, "late")).toBe(0);
  expect(await written()).toBe("three");
  expect(await write(MAX_TOKEN, "last")).toBe(1);
  expect(await write(MAX_TOKEN - 1, "late")).toBe(0);
  expect(await written()).toBe("last");
});
