import type { IncomingMessage, Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";

/** @returns false: it is for somebody else */
type Serve = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

interface Shared {
  readonly serving: Set<Serve>;
  readonly listener: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/**
 * By server, for sockets that know nothing of each other share one: if each listened for itself, each would leave it to the other
 * to hang up on what is for neither.
 */
const shared = new WeakMap<Server | SecureServer, Shared>();

/** @returns ends it */
export function serveUpgrades(server: Server | SecureServer, serve: Serve): () => void {
  const { listener, serving } = shared.get(server) ?? listen(server);
  serving.add(serve);
  return () => {
    if (!serving.delete(serve) || serving.size > 0) return;
    server.off("upgrade", listener);
    shared.delete(server);
  };
}

function listen(server: Server | SecureServer): Shared {
  const serving = new Set<Serve>();
  const listener: Shared["listener"] = (request, socket, head) => {
    for (const serve of serving) if (serve(request, socket, head)) return;
    // Somebody has to, and Node does not once anybody listens.
    if (server.listenerCount("upgrade") === 1) socket.destroy();
  };
  server.on("upgrade", listener);
  const here = { serving, listener };
  shared.set(server, here);
  return here;
}
