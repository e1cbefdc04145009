import { type ClusterNode, natsBus, startNode } from "../../../src/index.ts";
import { NatsServer } from "../nats-server.ts";
import type { Variables } from "./command.ts";

const CLUSTER = "shop";

/** A cluster of one node, in this process, for commands to look into. */
export class Shop implements AsyncDisposable {
  readonly node: ClusterNode;
  readonly variables: Variables;
  readonly #server: NatsServer;

  private constructor(node: ClusterNode, server: NatsServer) {
    this.node = node;
    this.#server = server;
    this.variables = { NATS_URL: server.url, ROLLCALL_CLUSTER: CLUSTER };
  }

  static async open(): Promise<Shop> {
    const server = await NatsServer.start();
    try {
      const bus = natsBus({ servers: server.url });
      return new Shop(await startNode({ cluster: CLUSTER, name: "web-1", bus }), server);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
    await this.#server[Symbol.asyncDispose]();
  }
}
