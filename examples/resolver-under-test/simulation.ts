import type { ClusterNode, Resolver } from "../../src/index.ts";
// In a program of your own: from "rollcall/testing".
import { type SimulationReport, simulate } from "../../src/testing.ts";
import type { Cart } from "./carts.ts";

const CART = "cart:ann";

/** Puts something into Ann's cart, which is opened where she is first served. */
async function put(node: ClusterNode, item: string): Promise<void> {
  if (node.names.whereis(CART) === undefined)
    await node.names.register(CART, node.spawn(), { meta: { items: [item] } satisfies Cart });
  else await node.names.update(CART, (meta) => ({ items: [...(meta as Cart).items, item] }));
}

/** Ann shops while the network is cut, on whichever side she happens to reach. Nothing that she chose may get lost. */
export function shopThroughPartitions(resolve: Resolver, seeds: number): Promise<SimulationReport> {
  let chosen: string[] = [];
  return simulate({
    seeds,
    nodes: 3,
    options: { resolve },
    async workload(simulation) {
      chosen = [];
      const [a, b, c] = simulation.nodes as [ClusterNode, ClusterNode, ClusterNode];
      simulation.partition([a], [b, c]);
      // Until each side has given up the other.
      await simulation.sleep(10_000);
      for (const item of ["apples", "bread", "cheese"]) {
        const node = simulation.pick([a, b]);
        await put(node, item);
        chosen.push(item);
        simulation.log(`${item} into the cart on ${node.name}`);
        await simulation.sleep(simulation.random() * 1_000);
      }
      simulation.heal();
      await simulation.settle();
    },
    check({ nodes }) {
      for (const { name, names } of nodes) {
        const cart = names.whereis(CART)?.meta as Cart | undefined;
        const items = cart?.items ?? [];
        const lost = chosen.filter((item) => !items.includes(item));
        if (lost.length > 0)
          throw new Error(`${lost.join(" and ")} got lost: ${name} has ${items.join(", ")}`);
      }
    },
  });
}
