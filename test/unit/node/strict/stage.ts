import { SeededRandom } from "../../../../src/kernel/random.ts";
import { MemoryLeases } from "../../../../src/lease/memory/store.ts";
import type { NodeOptions } from "../../../../src/node/options.ts";
import type { ClusterNode } from "../../../../src/node/types.ts";
import { Shells } from "../../../support/shells.ts";

export const TTL_MS = 10_000;

/** Nodes in virtual time, on lease servers in memory. */
export interface Stage {
  readonly shells: Shells;
  readonly store: MemoryLeases;
  start(name: string, options?: Partial<NodeOptions>): Promise<ClusterNode>;
  /** What it rejects with. */
  failure(promise: Promise<unknown>): Promise<unknown>;
  cutAll(): void;
  healAll(): void;
}

export function setUp(seed: string, servers = 3): Stage {
  const shells = new Shells(seed);
  const { clock } = shells;
  const store = new MemoryLeases({ clock, random: new SeededRandom(`${seed} servers`), servers });
  return {
    shells,
    store,
    start: (name, options) => shells.start(name, { leases: store, ...options }),
    failure: (promise) =>
      shells.until(
        promise.then(
          (value) => {
            throw new Error(`it did not fail: ${String(value)}`);
          },
          (error: unknown) => error,
        ),
      ),
    cutAll: () => {
      for (const server of store.servers.keys()) store.cut(server);
    },
    healAll: () => {
      for (const server of store.servers.keys()) store.heal(server);
    },
  };
}

/** Everything stands still for so long, as where the machine sleeps: time has passed, and no timer has fired. */
export function stall(shells: Shells, ms: number): void {
  shells.clock.wallOffsetMs += ms;
}
