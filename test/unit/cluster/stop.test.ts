import { describe, expect, test } from "vitest";
import type { ClusterNode } from "../../../src/index.ts";
import { Shells } from "../../support/shells.ts";

const ROUNDS = 15;
const NAMES = 60;

/** How a node leaves in good order. */
const LEAVE: Readonly<Record<string, (node: ClusterNode) => Promise<void>>> = {
  drain: (node) => node.drain(),
  stop: (node) => node.stop(),
};

describe("nodes race for many names in the moment in which another leaves", () => {
  test.each(Object.keys(LEAVE))("each name has one winner, and nothing clashes (%s)", async (how) => {
    const shells = new Shells(`leave by ${how}`);
    const racers = await shells.startAll("a", "b", "c", "d");
    const processes = racers.map((node) => node.spawn());
    for (let round = 0; round < ROUNDS; round += 1) {
      const leaver = await shells.start(`leaver-${round}`);
      await shells.run(1_000);
      const leaving = shells.run(round % 3).then(() => LEAVE[how]?.(leaver));
      const names = Array.from({ length: NAMES }, (_, index) => `name-${round}-${index}`);
      const races = names.flatMap((name) =>
        racers.map((node, index) =>
          node.names.register(name, processes[index] as (typeof processes)[number]).then(
            () => [name],
            () => [],
          ),
        ),
      );
      const won = (await shells.until(Promise.all(races))).flat();
      await shells.until(leaving);
      expect(won.sort()).toEqual([...names].sort());
    }
    await shells.run(2_000);
    for (const node of racers) expect(node.stats().cluster["tables.clashes"]).toBe(0);
    for (const process of processes) expect(process.signal.aborted).toBe(false);
    await shells.until(Promise.all(racers.map((node) => node.stop())));
  });
});
