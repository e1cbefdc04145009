import { describe, expect, test } from "vitest";
import { redisLeases } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import type { HttpClient } from "../support/http-client.ts";
import { RedisServer } from "../support/redis-server.ts";
import { ServiceStage } from "../support/service-stage.ts";

const SOON = { withinMs: 30_000 };

async function says(client: HttpClient, status: number, failing: readonly string[]): Promise<void> {
  await eventually(async () => {
    const { body, status: is } = await client.get("/readyz");
    const checks = body["checks"] as readonly { readonly name: string; readonly ok: boolean }[];
    const names = checks.filter(({ ok }) => !ok).map(({ name }) => name);
    return (
      is === status &&
      failing.every((name) => names.includes(name)) &&
      (failing.length > 0 || names.length === 0)
    );
  }, SOON);
}

describe("readiness", () => {
  test("is lost with the bus, and comes back with it, while the process stays alive", async () => {
    await using stage = await ServiceStage.start();
    const { client } = await stage.serve();
    await says(client, 200, []);
    stage.nats.signal("SIGSTOP");
    await says(client, 503, ["bus"]);
    expect((await client.get("/livez")).status).toBe(200);
    stage.nats.signal("SIGCONT");
    await says(client, 200, []);
  }, 90_000);

  test("is lost with the majority of the lease servers, and comes back with it", async () => {
    const servers = await Promise.all(Array.from({ length: 3 }, () => RedisServer.start()));
    try {
      await using stage = await ServiceStage.start();
      const leases = redisLeases(
        servers.map(({ url }) => url),
        { ttlMs: 2_000 },
      );
      const { client } = await stage.serve({}, { leases });
      await says(client, 200, []);
      for (const server of servers.slice(1)) server.signal("SIGSTOP");
      await says(client, 503, ["leases"]);
      for (const server of servers.slice(1)) server.signal("SIGCONT");
      await says(client, 200, []);
    } finally {
      for (const server of servers) await server[Symbol.asyncDispose]();
    }
  }, 120_000);
});

describe("metrics", () => {
  test("count what the cluster has, and what happened, in the form that Prometheus reads", async () => {
    await using stage = await ServiceStage.start();
    const here = await stage.serve();
    const there = await stage.serve();
    const session = await there.client.openSession();
    await session.ask("PUT", "/names/counted");
    await session.ask("PUT", "/groups/counted");
    const metric = async (line: string): Promise<void> => {
      await eventually(
        async () => (await (await fetch(`${here.service.url}/metrics`)).text()).includes(`\n${line}\n`),
        SOON,
      );
    };
    await metric('rollcall_names{scope="default"} 1');
    await metric('rollcall_group_members{scope="default"} 1');
    await metric('rollcall_nodes{state="up"} 2');
    await session.ask("DELETE", "");
    await metric('rollcall_names_unregistered_total{reason="normal"} 1');
    await metric('rollcall_members_purged_total{reason="normal"} 1');
    await metric('rollcall_names{scope="default"} 0');
    await here.client.get("/v1/names/nobody");
    await metric('rollcall_http_problems_total{code="NO_SUCH_NAME"} 1');
    const response = await fetch(`${here.service.url}/metrics`);
    expect(response.headers.get("content-type")).toContain("text/plain");
    const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    for (const line of lines)
      expect(line).toMatch(/^rollcall_[a-z_]+(\{([a-z]+="[^"]*",?)*\})? -?[\d.e+-]+$/);
  });
});
