import { type Service, type ServiceOptions, startService } from "../../src/http.ts";
import { type ClusterNode, type NodeOptions, natsBus, startNode } from "../../src/index.ts";
import { HttpClient } from "./http-client.ts";
import { NatsServer } from "./nats-server.ts";

export interface Served {
  readonly node: ClusterNode;
  readonly service: Service;
  readonly client: HttpClient;
}

/** Nodes of this process, each behind a service of its own, on one real nats-server. */
export class ServiceStage implements AsyncDisposable {
  readonly nats: NatsServer;
  readonly #served: Served[] = [];

  private constructor(nats: NatsServer) {
    this.nats = nats;
  }

  static async start(): Promise<ServiceStage> {
    return new ServiceStage(await NatsServer.start());
  }

  async serve(options: ServiceOptions = {}, nodeOptions: Partial<NodeOptions> = {}): Promise<Served> {
    const bus = natsBus({ servers: this.nats.url });
    const node = await startNode({ cluster: "stage", bus, ...nodeOptions });
    const service = await startService(node, { port: 0, ...options });
    const served = { node, service, client: new HttpClient(service.url) };
    this.#served.push(served);
    return served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { node, service } of this.#served) {
      await service.close({ deadlineMs: 100 });
      await node.stop();
    }
    await this.nats[Symbol.asyncDispose]();
  }
}
