import { expect, test } from "vitest";
import type { Pid } from "../../../src/kernel/ids.ts";
import { fraction, type Random, SeededRandom } from "../../../src/kernel/random.ts";
import type { Down } from "../../../src/monitor/types.ts";
import { type Side, Wired } from "./wired.ts";

/** A node's processes, its monitors, and what may make each of them fire. */
interface Truth {
  readonly alive: Set<Pid>;
  readonly dead: Set<Pid>;
  readonly open: Map<number, { readonly side: Side; readonly pid: Pid }>;
}

function doSomething(wired: Wired, random: Random, truth: Truth): void {
  const side = wired.side(random.u32() % wired.sides.length);
  const other = wired.side(random.u32() % wired.sides.length);
  const pids = [...truth.alive, ...truth.dead];
  const pid = pids[random.u32() % Math.max(1, pids.length)];
  switch (random.u32() % 10) {
    case 0:
    case 1:
      truth.alive.add(wired.spawn(side));
      break;
    case 2: {
      if (pid === undefined || !truth.alive.delete(pid)) break;
      truth.dead.add(pid);
      const owner = wired.sides.find(({ id }) => pid.startsWith(id));
      if (owner !== undefined) wired.exit(owner, pid);
      break;
    }
    case 3:
    case 4:
    case 5:
      if (pid !== undefined) truth.open.set(wired.watch(side, pid), { side, pid });
      break;
    case 6: {
      const [open] = truth.open;
      if (open === undefined || fraction(random) < 0.5) break;
      truth.open.delete(open[0]);
      wired.feed(open[1].side, { kind: "unwatch", monitor: open[0] });
      break;
    }
    case 7:
      if (side === other || fraction(random) < 0.5) break;
      // One side loses the other and finds it again. The other is told, or loses it as well.
      wired.down(side, other);
      wired.up(side, other);
      if (fraction(random) < 0.5) {
        wired.feed(other, { kind: "peerRejoined", node: side.id });
      } else {
        wired.down(other, side);
        wired.up(other, side);
      }
      break;
    case 8:
      wired.run(fraction(random) * 700);
      break;
    case 9:
      wired.flow(random.u32() % 5);
      break;
  }
}

test("whatever is lost, every monitor fires once when it has cause, never before, and nothing is held for nobody", () => {
  for (let seed = 0; seed < 300; seed += 1) {
    const random = new SeededRandom(`monitors ${seed}`);
    const wired = new Wired(3);
    const truth: Truth = { alive: new Set(), dead: new Set(), open: new Map() };
    const firedBefore = new Map<number, Down>();
    const look = (): void => {
      for (const side of wired.sides) {
        for (const { monitor, down } of side.fired.splice(0)) {
          expect(firedBefore.has(monitor)).toBe(false);
          expect(truth.open.has(monitor)).toBe(true);
          firedBefore.set(monitor, down);
          const { pid, reason } = down;
          if (reason.kind !== "nodeDown") expect(pid !== undefined && truth.dead.has(pid)).toBe(true);
          truth.open.delete(monitor);
        }
      }
    };
    wired.loses = () => fraction(random) < 0.2;
    for (let turn = 0; turn < 200; turn += 1) {
      // A monitor of what is dead fires while it is being made.
      doSomething(wired, random, truth);
      look();
    }
    wired.loses = () => false;
    wired.flow();
    wired.run(80_000);
    look();
    const late = [...truth.open.values()].filter(({ pid }) => truth.dead.has(pid));
    expect({ seed, late }).toEqual({ seed, late: [] });
    for (const side of wired.sides) {
      const wanted = [...truth.open.values()].filter(
        (open) => open.side !== side && open.pid.startsWith(side.id),
      );
      const distinct = new Set(wanted.map((open) => `${open.side.id} ${open.pid}`)).size;
      expect({ seed, held: side.monitors.gauges().watchesHeld }).toEqual({ seed, held: distinct });
    }
  }
}, 60_000);
