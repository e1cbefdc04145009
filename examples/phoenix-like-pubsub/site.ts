import type { Server } from "node:http";
import { type Bus, type NodeClosed, startNode } from "rollcall";
import { z } from "zod";
import { defineSocket, refuse } from "./channels/index.ts";
import { hostsOf } from "./hosts.ts";
import { announce, NODES, nodesChannel } from "./nodes.ts";
import { readPage, servePage } from "./page-files.ts";
import { TALK, talkChannel, type Visitor } from "./talk.ts";

export interface SiteOptions {
  readonly name: string;
  readonly cluster: string;
  readonly bus: Bus;
  /** It listens already. It is closed with the site. */
  readonly server: Server;
  /** On which host it does. */
  readonly host: string;
  /** Of all nodes, this one's included. */
  readonly ports: readonly number[];
  /** Any clock that does not go back. */
  readonly nowMs: () => number;
}

export interface Site extends AsyncDisposable {
  /** Resolves when the node is closed, be it against its will. Its visitors have nobody to serve them then. */
  readonly closed: Promise<NodeClosed>;
}

/** A visitor's id is made by its page, and tells it from the others; it lets nobody in anywhere. */
const Id = z.string().regex(/^[a-z0-9]{8,32}$/);

/**
 * One node of the cluster, with the page and its sockets on a web server. Its disposal sends the visitors to the others first.
 *
 * @throws what `startNode` throws
 */
export async function openSite(options: SiteOptions): Promise<Site> {
  const { bus, cluster, host, name, nowMs, ports, server } = options;
  const page = readPage();
  const origins = hostsOf(host).flatMap((each) => ports.map((at) => `http://${each}:${at}`));
  const node = await startNode({ cluster, name, bus });
  const socket = defineSocket<Visitor>({
    node,
    channels: { [TALK]: talkChannel(nowMs), [NODES]: nodesChannel },
    connect: ({ params }) => {
      const id = Id.safeParse(params["id"]);
      return id.success ? { id: id.data } : refuse("who are you?");
    },
    id: (visitor) => visitor.id,
    // A page of one node goes on at another, when its own is gone.
    checkOrigin: origins,
  });
  server.on("request", servePage(page, { node: name, ports, origins }));
  socket.attach(server);
  announce(node, socket);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    server.close();
    // Its visitors go to the others, and are there before it is gone.
    await socket.drain();
    await socket.stop();
    await node.stop();
    server.closeAllConnections();
  };
  return {
    closed: node.closed,
    [Symbol.asyncDispose]: () => {
      closed ??= close();
      return closed;
    },
  };
}
