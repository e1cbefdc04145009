import { type ClientRequest, get } from "node:http";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { HttpClient, type SseEvent, SseText } from "../support/http-client.ts";
import { NatsServer } from "../support/nats-server.ts";
import { ServiceProcess } from "../support/service-process.ts";
import { ServiceStage } from "../support/service-stage.ts";
import { SocketClient } from "../support/socket-client.ts";

const SOON = { withinMs: 60_000 };
const SESSIONS = 200;
const WATCHERS = 2_000;
/** For how long things change: `WATCH_SECONDS` for longer. */
const SECONDS = Number(process.env["WATCH_SECONDS"] ?? 6);
const LEAST_ROUNDS = 21;

/** One watcher, which comes back where it was when its stream ends, as browsers do. */
class Watcher {
  readonly table = new Map<string, unknown>();
  resyncs = 0;
  #lastId: string | undefined;
  #request: ClientRequest | undefined;
  #isOver = false;
  #parts: unknown[] = [];

  constructor(private readonly urlOf: () => string) {
    this.#connect();
  }

  end(): void {
    this.#isOver = true;
    this.#request?.destroy();
  }

  /** As when the way to the server breaks. */
  drop(): void {
    this.#request?.destroy();
  }

  #connect(): void {
    if (this.#isOver) return;
    const headers = this.#lastId === undefined ? {} : { "last-event-id": this.#lastId };
    const text = new SseText((event) => this.#take(event));
    const again = (): void => {
      setTimeout(() => this.#connect(), 100);
    };
    let hasAnswer = false;
    this.#request = get(this.urlOf(), { headers, agent: false }, (response) => {
      hasAnswer = true;
      response.setEncoding("utf8");
      response.on("data", (data: string) => text.take(data));
      response.on("error", () => {});
      response.on("close", again);
    });
    this.#request.on("error", () => {
      if (!hasAnswer) again();
    });
  }

  #take({ data, event, id }: SseEvent): void {
    this.#lastId = id ?? this.#lastId;
    const row = data as { readonly name: string; readonly pid: string };
    switch (event) {
      case "state":
      case "resync":
        this.#parts.push(...(data["items"] as unknown[]));
        if (data["last"] !== true) return;
        this.resyncs += event === "resync" ? 1 : 0;
        this.table.clear();
        for (const item of this.#parts as (typeof row)[]) this.table.set(item.name, item.pid);
        this.#parts = [];
        return;
      case "registered":
      case "updated":
        this.table.set(row.name, row.pid);
        return;
      case "unregistered":
        this.table.delete(row.name);
    }
  }
}

describe("many sessions and watchers", () => {
  test(
    `${SESSIONS} sessions and ${WATCHERS} watchers, some of whose connections break, while nodes are killed: every watcher ends with the table, and nothing is left`,
    async () => {
      await using nats = await NatsServer.start();
      const env = { NATS_URL: nats.url, ROLLCALL_CLUSTER: "watching" };
      await using main = await ServiceProcess.start({ env });
      const client = new HttpClient(main.url);
      const url = `${main.url}/v1/watch/names`;
      const before = await metricsOf(client);
      const sockets = await Promise.all(
        Array.from({ length: SESSIONS }, () => SocketClient.connect(main.url, "/v1/socket?graceMs=0")),
      );
      const watchers = Array.from({ length: WATCHERS }, () => new Watcher(() => url));
      const gauge = async (name: string) => (await metricsOf(client)).get(name);
      await eventually(async () => (await gauge("http_watchers")) === WATCHERS, SOON);
      const endsAtMs = performance.now() + SECONDS * 1_000;
      for (let round = 0; round < LEAST_ROUNDS || performance.now() < endsAtMs; round += 1) {
        if (round % 10 === 0) await killNodeWithNames(env, round, main);
        const some = sockets.filter((_, index) => index % 20 === round % 20);
        await Promise.all(
          some.map((socket, index) => socket.ask("register", { name: `${round % 7}/${index}` })),
        );
        await Promise.all(
          some.map((socket, index) => socket.ask("unregister", { name: `${(round + 3) % 7}/${index}` })),
        );
        for (const watcher of watchers.slice((round % 20) * 10, (round % 20) * 10 + 10)) watcher.drop();
      }
      const table = async (): Promise<ReadonlyMap<string, unknown>> => {
        const { body } = await client.get("/v1/names?limit=1000");
        const items = body["items"] as readonly { readonly name: string; readonly pid: string }[];
        return new Map(items.map(({ name, pid }) => [name, pid]));
      };
      await eventually(async () => {
        const rows = await table();
        return rows.size > 0 && watchers.every((watcher) => same(watcher.table, rows));
      }, SOON);
      for (const watcher of watchers) watcher.end();
      for (const [index, socket] of sockets.entries()) {
        if (index % 2 === 0) socket.close();
        else socket.drop();
      }
      await eventually(async () => (await gauge("http_watchers")) === 0, SOON);
      await eventually(async () => (await gauge("http_sessions")) === 0, SOON);
      await eventually(async () => (await table()).size === 0, SOON);
      const after = await metricsOf(client);
      for (const name of ["http_websockets", "http_session_events", "http_waits", "bugs_total"])
        expect([name, after.get(name)]).toEqual([name, 0]);
      // The one process is that by which the service calls itself.
      expect(after.get("processes")).toBe(1);
      // Sockets of ours that Node has not closed yet are among its handles, and what was read is in its memory, until it tidies up.
      await eventually(async () => {
        const now = await metricsOf(client);
        const more = (name: string) => (now.get(name) ?? 0) - (before.get(name) ?? 0);
        return more("nodejs_active_handles_total") <= 5 && more("nodejs_heap_size_used_bytes") < 30_000_000;
      }, SOON);
      expect((await client.get("/readyz")).status).toBe(200);
    },
    SECONDS * 1_000 + 240_000,
  );
});

/** A node that holds names, and is killed when the server knows of them. */
async function killNodeWithNames(
  env: Readonly<Record<string, string>>,
  round: number,
  main: ServiceProcess,
): Promise<void> {
  await using passing = await ServiceProcess.start({ env });
  const session = await new HttpClient(passing.url).openSession();
  for (const name of ["p", "q", "r"]) await session.ask("PUT", `/names/${name}${round}`);
  const client = new HttpClient(main.url);
  await eventually(async () => (await client.get(`/v1/names/r${round}`)).status === 200, SOON);
}

/** By name without its prefix, and what has no labels. */
async function metricsOf({ url }: HttpClient): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return new Map(
    [...text.matchAll(/^rollcall_(\w+) (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]),
  );
}

function same(one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

describe("a watch", () => {
  test("of groups, nodes and the timeline tells what happens to them", async () => {
    await using stage = await ServiceStage.start();
    const { client, node } = await stage.serve();
    using groups = client.stream("/v1/watch/groups?prefix=a");
    using one = client.stream("/v1/watch/names?key=n1");
    using nodes = client.stream("/v1/watch/nodes");
    using timeline = client.stream("/v1/watch/events");
    for (const stream of [groups, one, nodes, timeline]) await stream.saw(({ event }) => event === "state");
    const process = node.spawn();
    node.groups.join("a", process, { meta: 1n });
    node.groups.join("b", process);
    node.groups.update("a", process, () => 2);
    await node.names.register("n1", process);
    await node.names.register("n12", process);
    const other = await stage.serve();
    await nodes.saw(({ data, event }) => event === "up" && data["id"] === other.node.id);
    await other.node.stop();
    await nodes.saw(({ data, event }) => event === "down" && data["id"] === other.node.id);
    process.exit({ kind: "killed" });
    await timeline.saw(({ data, event }) => event === "unregistered" && data["name"] === "n12");
    await groups.saw(({ event }) => event === "left");
    expect(groups.events.slice(1).map(({ data, event }) => [event, data["group"], data["meta"]])).toEqual([
      ["joined", "a", { $bigint: "1" }],
      ["updated", "a", 2],
      ["left", "a", undefined],
    ]);
    expect(one.events.slice(1).map(({ event }) => event)).toEqual(["registered", "unregistered"]);
    const told = timeline.events.slice(1).map(({ data, event }) => `${data["table"]} ${event}`);
    expect(told).toContain("groups joined");
    expect(told).toContain("nodes down");
    const at = timeline.events.slice(1).map(({ data }) => Date.parse(String(data["at"])));
    expect(at.every((ms) => Math.abs(ms - Date.now()) < 600_000)).toBe(true);
  });

  test.each([
    ["/v1/watch/nothing", 400],
    ["/v1/watch/names?scope=unknown", 404],
  ])("%s: refused with %d", async (path, status) => {
    await using stage = await ServiceStage.start();
    const { client } = await stage.serve();
    expect((await client.get(path)).status).toBe(status);
  });

  test("asked for its head alone, is not opened", async () => {
    await using stage = await ServiceStage.start();
    const { service } = await stage.serve();
    const response = await fetch(`${service.url}/v1/watch/names`, { method: "HEAD" });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/^rollcall_http_watchers 0$/m);
  });

  test("over the limit of watchers is refused, and room is made when one goes", async () => {
    await using stage = await ServiceStage.start();
    const { client } = await stage.serve({ limits: { watchers: 1 } });
    using one = client.stream("/v1/watch/names");
    await one.saw(({ event }) => event === "state");
    expect(await client.get("/v1/watch/names")).toMatchObject({
      status: 429,
      body: { code: "LIMIT_EXCEEDED", limit: "watchers" },
    });
    one[Symbol.dispose]();
    await eventually(async () => {
      using next = client.stream("/v1/watch/nodes");
      await eventually(() => next.events.length > 0, SOON);
      return next.events[0]?.event === "state";
    }, SOON);
  });
});
