import { createServer, type Server } from "node:http";
import { embeddedBus, natsBus, startNode } from "rollcall";
import { z } from "zod";
import { defineSocket, refuse } from "./channels/index.ts";
import { hostsOf } from "./hosts.ts";
import { readPage, servePage } from "./page-files.ts";
import { talk, type Visitor } from "./talk.ts";

/*
 * One of the three: a node of the cluster, with a web server of its own. It is started by `main.ts`, tells it the port that it
 * has got, and is told those of all. It ends when that process does, or when it is told to.
 */

const CLUSTER = "talk";

/** A visitor's id is made by its page, and tells it from the others; it lets nobody in anywhere. */
const Id = z.string().regex(/^[a-z0-9]{8,32}$/);

const [name = "talk-1", host = "127.0.0.1", port = "0", busPort = "4229"] = process.argv.slice(2);

const server = createServer();
await listening(server, Number(port), host);
const address = server.address();
tell({ kind: "listening", port: typeof address === "object" ? address?.port : undefined });
const ports = await told();

const origins = hostsOf(host).flatMap((each) => ports.map((at) => `http://${each}:${at}`));
const { NATS_URL } = process.env;
await using node = await startNode({
  cluster: CLUSTER,
  name,
  bus: NATS_URL === undefined ? embeddedBus({ port: Number(busPort) }) : natsBus({ servers: NATS_URL }),
});
await using socket = defineSocket<Visitor>({
  node,
  channels: { "talk:*": talk },
  connect: ({ params }) => {
    const id = Id.safeParse(params["id"]);
    return id.success ? { id: id.data } : refuse("who are you?");
  },
  id: (visitor) => visitor.id,
  // A page of one node goes on at another, when its own is gone.
  checkOrigin: origins,
});
server.on("request", servePage(readPage(), { node: name, ports }, origins));
socket.attach(server);
tell({ kind: "ready" });

await ended();
server.close();
// Its visitors go to the others, and are there before it is gone.
await socket.drain();
// Else the line to the process that started this one would keep it alive.
if (process.connected) process.disconnect();

function listening(to: Server, at: number, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    to.once("error", reject);
    to.listen(at, where, resolve);
  });
}

function tell(word: object): void {
  process.send?.(word);
}

function told(): Promise<readonly number[]> {
  return new Promise((resolve) => {
    process.once("message", (word: { readonly ports: readonly number[] }) => resolve(word.ports));
  });
}

/** Ctrl-C reaches all processes of a terminal, and this one ends when it is told to, or is alone. */
function ended(): Promise<void> {
  process.on("SIGINT", () => undefined);
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("disconnect", () => resolve());
  });
}
