import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { openSite } from "../../../../examples/phoenix-like-pubsub/site.ts";
import { embeddedBus } from "../../../../src/index.ts";
import { eventually } from "../../../support/eventually.ts";
import { freePort } from "../../../support/free-port.ts";
import { PhoenixClient, PresenceView } from "../../../support/phoenix-client.ts";
import { ask, portOf } from "./asking.ts";

const VISITOR = { id: "0123456789abcdef" };
const JOINING = { name: "Ann", rating: null };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const site of opened.splice(0)) await site[Symbol.asyncDispose]();
});

async function listening(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Two nodes of one cluster. */
async function openTwo() {
  const servers = [await listening(), await listening()] as const;
  const bus = embeddedBus({ port: await freePort() });
  const ports = servers.map(portOf);
  const sites: AsyncDisposable[] = [];
  for (const [index, server] of servers.entries()) {
    const name = `talk-${index + 1}`;
    const site = await openSite({
      name,
      cluster: "t",
      bus,
      server,
      host: "127.0.0.1",
      ports,
      nowMs: () => 0,
    });
    sites.push(site);
    opened.push(site);
  }
  const [first] = sites;
  if (first === undefined) throw new Error("unreachable");
  const origins = ports.flatMap((port) => [`http://127.0.0.1:${port}`, `http://localhost:${port}`]);
  return { servers, first, ports, origins };
}

test("a site serves the page, which may speak to all nodes of its talk and to nobody else", async () => {
  const { origins, ports, servers } = await openTwo();
  const policy = String((await ask(servers[1], "/")).headers["content-security-policy"]);
  const [, sources = ""] = /connect-src ([^;]*)/.exec(policy) ?? [];
  const expected = ["'self'", ...origins.flatMap((origin) => [origin, origin.replace("http", "ws")])];
  expect(sources.split(" ").sort()).toEqual(expected.sort());
  const site = JSON.parse((await ask(servers[1], "/site.json")).body) as { readonly origins: string[] };
  expect({ ...site, origins: [...site.origins].sort() }).toEqual({
    ...{ node: "talk-2", ports, origins: [...origins].sort() },
  });
  expect(await ask(servers[0], "/nothing")).toMatchObject({ status: 404 });
  expect(await ask(servers[0], "/", "POST")).toMatchObject({ status: 405 });
});

test("visitors connect from pages of any node, with an id; others do not", async () => {
  const { ports, servers } = await openTwo();
  const status = async (query: string, origin: string): Promise<unknown> => {
    const { body } = await ask(servers[0], `/socket/longpoll?vsn=2.0.0${query}`, "GET", { origin });
    return (JSON.parse(body) as { readonly status: number }).status;
  };
  const known = `http://localhost:${ports[1]}`;
  // 410 begins a session.
  expect(await status(`&id=${VISITOR.id}`, known)).toBe(410);
  expect(await status(`&id=${VISITOR.id}`, "http://evil.example")).toBe(403);
  expect(await status(`&id=${VISITOR.id}`, `http://evil.example:${ports[0]}`)).toBe(403);
  expect(await status("&id=short", known)).toBe(403);
  expect(await status("", known)).toBe(403);
});

test("both nodes are present until they go, and a closed site takes nobody", async () => {
  const { first, ports, servers } = await openTwo();
  const urls = ports.map((port) => `ws://127.0.0.1:${port}/socket`);
  using ann = new PhoenixClient(urls[1] ?? "", "websocket", { params: VISITOR });
  const following = ann.socket.channel("nodes");
  const nodes = new PresenceView(following);
  following.join();
  await ann.join("talk:main", JOINING);
  await eventually(() => Object.keys(nodes.shown).sort().join() === "talk-1,talk-2");
  // There is one talk, and nobody opens another.
  for (const topic of ["other", "talk:other"])
    await expect(ann.join(topic, JOINING)).rejects.toThrow("unmatched topic");
  await first[Symbol.asyncDispose]();
  await eventually(() => Object.keys(nodes.shown).join() === "talk-2");
  expect(servers[0].listening).toBe(false);
});
