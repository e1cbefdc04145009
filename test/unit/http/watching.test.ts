import { beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { WATCH_KINDS, Watching } from "../../../src/http/watching.ts";
import { SeededRandom } from "../../../src/kernel/random.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import type { ClusterNode, Scope } from "../../../src/node/types.ts";

/** A watch that tells what it is given until it is ended. */
class Watch {
  #wake = (): void => {};
  readonly #events: unknown[] = [];
  #isOver = false;
  #error: Error | undefined;

  tell(event: unknown): void {
    this.#events.push(event);
    this.#wake();
  }

  end(error?: Error): void {
    this.#isOver = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, undefined> {
    for (;;) {
      yield* this.#events.splice(0);
      if (this.#error !== undefined) throw this.#error;
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

describe("the tables of a node that stops", () => {
  let clock: VirtualClock;
  let watches: { readonly nodes: Watch; readonly names: Watch; readonly groups: Watch };
  let watching: Watching;

  beforeEach(() => {
    clock = new VirtualClock();
    watches = { nodes: new Watch(), names: new Watch(), groups: new Watch() };
    const scope = {
      scope: "default",
      names: { watch: () => watches.names },
      groups: { watch: () => watches.groups },
    };
    const ignore = () => {};
    watching = new Watching({
      node: { watchNodes: () => watches.nodes } as unknown as ClusterNode,
      scopes: [scope as unknown as Scope],
      clock,
      random: new SeededRandom("watching"),
      limits: DEFAULT_LIMITS,
      logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      isStrict: false,
      onFreed: () => {},
    });
  });

  const settle = async () => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    clock.runUntil(0);
  };
  const feedOf = (kind: (typeof WATCH_KINDS)[number]) => {
    const feed = watching.feed(kind, "default");
    if (feed === undefined) throw new Error(`no feed of ${kind}`);
    return feed;
  };

  test.each([undefined, new Error("closed")])("end their streams, and take no more (%s)", async (error) => {
    const ended: string[] = [];
    for (const kind of WATCH_KINDS)
      watching.watch(
        [feedOf(kind)],
        () => {},
        () => ended.push(kind),
      );
    watches.names.end(error);
    await settle();
    expect(ended.sort()).toEqual(["events", "names", "strict-names"]);
    expect(watching.feed("nodes", "default")).toBeDefined();
    watches.groups.end(error);
    watches.nodes.end(error);
    await settle();
    expect([...new Set(ended)].sort()).toEqual([...WATCH_KINDS].sort());
    for (const kind of WATCH_KINDS)
      expect(() => watching.feed(kind, "default")).toThrow(expect.objectContaining({ code: "DRAINING" }));
    expect(() => watching.all("default")).toThrow(expect.objectContaining({ code: "DRAINING" }));
  });

  test("tell their last events before they end", async () => {
    const told: string[] = [];
    const names = feedOf("names");
    watching.watch(
      [names],
      () => told.push("woken"),
      () => told.push("ended"),
    );
    const registration = { name: "a", pid: "n@1/1", node: "n@1", meta: undefined };
    watches.names.tell({ kind: "registered", registration });
    watches.names.end();
    await settle();
    expect(told).toEqual(["woken", "ended"]);
  });

  test("take no more when the service has stopped", () => {
    watching.stop();
    for (const kind of WATCH_KINDS)
      expect(() => watching.feed(kind, "default")).toThrow(expect.objectContaining({ code: "DRAINING" }));
  });
});
