import { type CuttableBus, cuttable } from "../../src/cli/demo/cuttable.ts";
import { type Service, startService } from "../../src/http.ts";
import { type ClusterNode, embeddedBus, startNode } from "../../src/index.ts";
import { type MemoryLeaseStore, memoryLeases } from "../../src/testing.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

const NORTH = ["oslo", "cairo", "lima"] as const;
const SOUTH = ["delhi", "perth"] as const;
type City = (typeof NORTH)[number] | (typeof SOUTH)[number];

/** Names that would do harm to a page that makes markup of them, or shows them as they are. */
export const MARKUP = `<img src="x" onerror="document.title='owned'">`;
export const TURNED = "pay\u202egnillib\u202c/\u200bdue";
const METADATA_BYTES = 16 * 1024;
const LARGE = { note: `<script>document.title='owned'</script>${"long ".repeat(2_000)}` };

const TTL_MS = 3_000;
/** Enough to see the stages of a partition, and no more. */
const DETECTION = { heartbeatMs: 200, suspectAfterMs: 800, deadAfterMs: 2_500, disconnectGraceMs: 400 };

/** Five nodes in this program, each with a bus that can be cut, and a service in front of one. */
export class LiveStage {
  readonly #nodes: ReadonlyMap<City, ClusterNode>;
  readonly #buses: ReadonlyMap<City, CuttableBus>;
  readonly #leases: MemoryLeaseStore;
  readonly service: Service;

  private constructor(
    nodes: ReadonlyMap<City, ClusterNode>,
    buses: ReadonlyMap<City, CuttableBus>,
    leases: MemoryLeaseStore,
    service: Service,
  ) {
    this.#nodes = nodes;
    this.#buses = buses;
    this.#leases = leases;
    this.service = service;
  }

  static async start(): Promise<LiveStage> {
    const port = await freePort();
    const leases = memoryLeases({ ttlMs: TTL_MS });
    const buses = new Map<City, CuttableBus>();
    const nodes = new Map<City, ClusterNode>();
    for (const name of [...NORTH, ...SOUTH]) {
      const bus = cuttable(embeddedBus({ port }));
      buses.set(name, bus);
      const options = { cluster: "harbour", name, bus, leases, failureDetection: DETECTION };
      nodes.set(name, await startNode({ ...options, limits: { metadataBytes: METADATA_BYTES } }));
    }
    const all = [...nodes.values()];
    await eventually(() => all.every((node) => node.nodes().length === all.length), { withinMs: 20_000 });
    await eventually(() => all.every((node) => node.stats().leases.reached === 3), { withinMs: 20_000 });
    const stage = new LiveStage(nodes, buses, leases, await startService(nodeOf(nodes, "oslo"), { port: 0 }));
    await stage.#fill();
    return stage;
  }

  node(name: City): ClusterNode {
    return nodeOf(this.#nodes, name);
  }

  /** The two sides do not hear each other, and the south reaches no majority of the lease servers. */
  split(): void {
    for (const name of NORTH) this.#buses.get(name)?.cutOff(SOUTH);
    for (const name of SOUTH) this.#buses.get(name)?.cutOff(NORTH);
    const [first = "", second = ""] = this.#leases.servers;
    for (const name of SOUTH)
      for (const server of [first, second]) this.#leases.cut(server, this.node(name).id);
  }

  heal(): void {
    for (const bus of this.#buses.values()) bus.cutOff([]);
    this.#leases.heal();
  }

  async stop(): Promise<void> {
    await this.service.close();
    await Promise.all(Array.from(this.#nodes.values(), (node) => node.stop()));
  }

  async #fill(): Promise<void> {
    const register = async (city: City, name: string, meta?: unknown): Promise<void> => {
      await this.node(city).names.register(name, this.node(city).spawn(), { meta });
    };
    await register("delhi", "billing", { region: "south", orders: 41 });
    await register("cairo", "search", { shards: 8 });
    await register("perth", "mail/outgoing", { queue: "amqp://mail.example:5672/out", rate: 120 });
    for (const city of [...NORTH, ...SOUTH]) await register(city, `cache/${city}`, { size: "2 GiB" });
    for (let shard = 1; shard <= 6; shard += 1)
      await register((["lima", "perth", "cairo"] as const)[shard % 3] ?? "lima", `shard/${shard}`);
    await register("cairo", MARKUP, LARGE);
    await register("lima", TURNED, { said: "\u202eesrever" });
    for (const city of [...NORTH, ...SOUTH]) {
      const { groups } = this.node(city);
      for (let count = 0; count < 3; count += 1) groups.join("room:lobby", this.node(city).spawn());
      groups.join("workers", this.node(city).spawn());
    }
    this.node("delhi").groups.join("alarms", this.node("delhi").spawn());
    await this.node("perth").strictNames.register("ledger", this.node("perth").spawn());
    await this.node("oslo").strictNames.register("scheduler", this.node("oslo").spawn());
    // It hears of holders elsewhere by asking.
    await this.node("oslo").strictNames.lookup("ledger");
    await Promise.all(Array.from(this.#nodes.values(), (node) => node.settled()));
  }
}

function nodeOf(nodes: ReadonlyMap<City, ClusterNode>, name: City): ClusterNode {
  const node = nodes.get(name);
  if (node === undefined) throw new Error(`there is no node ${name}`);
  return node;
}
