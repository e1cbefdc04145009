import { expect, test } from "vitest";
import { pause } from "../support/eventually.ts";
import { HttpClient } from "../support/http-client.ts";
import { NatsServer } from "../support/nats-server.ts";
import { ServiceProcess } from "../support/service-process.ts";

/** `RESTARTS` for more. */
const RESTARTS = Number(process.env["RESTARTS"] ?? 5);
const CLIENTS = 8;
const LOOK_EVERY_MS = 50;
/** Many times what the balancer needs to see it. */
const LINGER_MS = "1000";

/** What stands in front of the servers: sends requests to those that said last that they are ready. */
class Balancer {
  readonly #ready = new Map<string, HttpClient>();
  readonly #watched = new Set<string>();

  get size(): number {
    return this.#ready.size;
  }

  add(url: string): void {
    this.#watched.add(url);
    void this.#watch(url);
  }

  stop(): void {
    this.#watched.clear();
  }

  pick(index: number): HttpClient {
    const ready = [...this.#ready.values()];
    const client = ready[index % ready.length];
    if (client === undefined) throw new Error("no server is ready");
    return client;
  }

  async #watch(url: string): Promise<void> {
    const client = new HttpClient(url);
    while (this.#watched.has(url)) {
      const status = await client.get("/readyz").then(
        (answer) => answer.status,
        () => "gone" as const,
      );
      if (status === 200) this.#ready.set(url, client);
      else this.#ready.delete(url);
      if (status === "gone") return;
      await pause(LOOK_EVERY_MS);
    }
  }
}

test(
  `${RESTARTS} restarts of three servers, one after the other, under load: no request fails`,
  async () => {
    await using nats = await NatsServer.start();
    const env = { NATS_URL: nats.url, ROLLCALL_CLUSTER: "restarts" };
    const start = (name: string) =>
      ServiceProcess.start({ env: { ...env, ROLLCALL_NODE: name }, flags: ["--linger-ms", LINGER_MS] });
    const balancer = new Balancer();
    const servers: ServiceProcess[] = [];
    try {
      for (const name of ["a", "b", "c"]) servers.push(await start(name));
      for (const { url } of servers) balancer.add(url);
      while (balancer.size < servers.length) await pause(LOOK_EVERY_MS);
      let isOver = false;
      let asked = 0;
      const failures: unknown[] = [];
      const load = async (index: number): Promise<void> => {
        for (let round = 0; !isOver; round += 1) {
          try {
            asked += await visit(balancer.pick(index + round), `of ${index}`);
          } catch (error) {
            failures.push(error instanceof Error ? [error.message, String(error.cause)] : error);
          }
          await pause(5);
        }
      };
      const clients = Array.from({ length: CLIENTS }, (_, index) => load(index));
      for (let restart = 0; restart < RESTARTS; restart += 1) {
        const place = restart % servers.length;
        servers[place]?.signal("SIGTERM");
        expect(await servers[place]?.ended()).toBe(0);
        const next = await start(["a", "b", "c"][place] ?? "");
        servers[place] = next;
        balancer.add(next.url);
        while (balancer.size < servers.length) await pause(LOOK_EVERY_MS);
      }
      isOver = true;
      await Promise.all(clients);
      expect(failures).toEqual([]);
      expect(asked).toBeGreaterThan(100 * RESTARTS);
    } finally {
      balancer.stop();
      for (const server of servers) await server.kill();
    }
  },
  RESTARTS * 30_000 + 60_000,
);

/** What a client of the service does. @returns how many requests it took */
async function visit(client: HttpClient, name: string): Promise<number> {
  const session = await client.openSession();
  const answers = [
    await session.ask("PUT", `/groups/${encodeURIComponent(name)}`),
    await session.ask("PUT", `/names/${encodeURIComponent(name)}`, { takeOver: true }),
    await client.ask("POST", "/v1/send", { to: { pid: session.pid }, message: name }),
    await session.ask("GET", "/events?after=0&waitMs=5000"),
    await client.get("/v1/names?limit=5"),
    await client.ask("POST", `/v1/groups/${encodeURIComponent(name)}/publish`, { message: 1 }),
    await session.ask("DELETE", ""),
  ];
  for (const { body, status } of answers) if (status >= 300) throw new Error(JSON.stringify(body));
  return answers.length + 1;
}
