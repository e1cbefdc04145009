import { afterEach, beforeEach, expect, test } from "vitest";
import { redisLeases } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { QuorumNode } from "../support/quorum-node.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { RedisStage } from "./redis-stage.ts";

const TTL_MS = 2_000;
const SLOW = { withinMs: 20_000 };

let stage: RedisStage;
let servers: readonly RedisServer[];
let nodes: Map<string, QuorumNode>;
beforeEach(async () => {
  stage = new RedisStage();
  servers = [await stage.server(), await stage.server(), await stage.server()];
  nodes = new Map();
});
afterEach(async () => {
  for (const node of nodes.values()) await node[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

/** Nodes that reach all servers. */
async function start(...owners: readonly string[]): Promise<readonly QuorumNode[]> {
  const store = redisLeases(urls(), { ttlMs: TTL_MS });
  const started = owners.map((owner) => {
    const node = new QuorumNode(store, owner, nodes);
    nodes.set(owner, node);
    return node;
  });
  await eventually(() => started.every(({ reached }) => reached === servers.length), SLOW);
  return started;
}

test("a name outlives one server, whose successor comes back empty and takes part again; tokens go up", async () => {
  const [a, b] = (await start("a", "b")) as [QuorumNode, QuorumNode];
  const first = await a.take("x");
  expect(await b.acquire("x")).toMatchObject({ kind: "refused", refusal: { kind: "taken" } });
  await servers[0]?.kill();
  await eventually(() => a.reached === 2, SLOW);
  expect(await b.holder("x")).toBe("a");
  await servers[0]?.run();
  const operator = stage.peer(redisLeases(urls(), { ttlMs: TTL_MS }), "operator");
  expect(await operator.askAgain(0, { kind: "status" })).toMatchObject({ kind: "guarded", empty: true });
  await eventually(async () => (await operator.askAgain(0, { kind: "status" })).kind === "ready", SLOW);
  await eventually(() => a.reached === 3 && b.reached === 3, SLOW);
  expect(a.holds("x", first.claim)).toBe(true);
  expect(a.lost).toEqual([]);
  await servers[1]?.kill();
  await a.release("x", first.claim);
  const second = await b.take("x");
  expect(second.token).toBeGreaterThan(first.token);
  expect(await a.holder("x")).toBe("b");
});

test("without a majority a name is lost in time, and nobody gets it before", async () => {
  const [a, b] = (await start("a", "b")) as [QuorumNode, QuorumNode];
  const { claim } = await a.take("x");
  for (const server of servers.slice(0, 2)) server.signal("SIGSTOP");
  const late = b.acquire("x", { timeoutMs: 20_000 });
  await eventually(() => a.lost.includes("x"), SLOW);
  expect(a.holds("x", claim)).toBe(false);
  expect((await late).kind).toBe("refused");
  for (const server of servers.slice(0, 2)) server.signal("SIGCONT");
  await eventually(() => b.reached === 3, SLOW);
  await b.take("x");
});

test("who waits in line is served in order, and one that has died is passed over", async () => {
  const [a, b, c, d] = (await start("a", "b", "c", "d")) as [QuorumNode, QuorumNode, QuorumNode, QuorumNode];
  const { claim } = await a.take("x");
  const order: string[] = [];
  const waiting = [];
  for (const node of [b, c, d]) {
    const taken = node.take("x", { wait: true }).then(async (grant) => {
      order.push(node.owner);
      await node.release("x", grant.claim);
    });
    waiting.push(taken);
    // Its ticket is there before the next one's.
    await node.holder("x");
    await eventually(async () => (await placesIn("x")) >= waiting.length);
  }
  await c[Symbol.asyncDispose]();
  nodes.delete("c");
  await a.release("x", claim);
  await Promise.all([waiting[0], waiting[2]]);
  expect(order).toEqual(["b", "d"]);
});

function urls(): readonly string[] {
  return servers.map(({ url }) => url);
}

async function placesIn(name: string): Promise<number> {
  const counts = servers.map((server) => server.ask("ZCARD", `rollcall:{default}:queue:${name}`));
  return Math.min(...((await Promise.all(counts)) as number[]));
}
