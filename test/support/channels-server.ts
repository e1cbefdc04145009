import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { defineSocket } from "../../examples/phoenix-like-pubsub/channels/index.ts";
import { embeddedBus, startNode } from "../../src/index.ts";
import { lobbyChannel, roomChannel } from "./rooms.ts";

// A node that serves channels in an OS process of its own, so that it can be killed. Its parameters: the port of the bus, its name.
const [busPort, name = "server"] = process.argv.slice(2);
const node = await startNode({
  cluster: "channels",
  name,
  bus: embeddedBus({ port: Number(busPort) }),
  failureDetection: { discoveryMs: 50, disconnectGraceMs: 100, probeEveryMs: 50 },
});
const socket = defineSocket({ node, channels: { "room:*": roomChannel(), lobby: lobbyChannel } });
const server = createServer();
socket.attach(server);
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(
    `${JSON.stringify({ at: 0, kind: "serving", port: (server.address() as AddressInfo).port })}\n`,
  );
});
