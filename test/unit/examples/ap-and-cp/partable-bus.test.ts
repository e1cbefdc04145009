import { expect, test } from "vitest";
import { partable } from "../../../../examples/ap-and-cp/partable-bus.ts";
import type { Bus, BusConnection, BusConnectOptions } from "../../../../src/bus/port.ts";
import { makeIncarnation, makeNodeId } from "../../../../src/kernel/ids.ts";
import { SeededRandom } from "../../../../src/kernel/random.ts";
import { VirtualClock } from "../../../../src/kernel/virtual-clock.ts";
import { Subjects } from "../../../../src/node/subjects.ts";

const INCARNATION = makeIncarnation(1_700_000_000_000, [1, 2]);

test("nodes of different sides hear nothing from each other until it heals, those of one side all the while", async () => {
  const wires: BusConnectOptions[] = [];
  const inner = {} as BusConnection;
  const plain: Bus = {
    kind: "embedded",
    connect: async (options) => {
      wires.push(options);
      return inner;
    },
  };
  const bus = partable(plain);
  const heard: unknown[] = [];
  const connected = await bus.connect({
    clientName: makeNodeId("west-1", INCARNATION),
    clock: new VirtualClock(),
    random: new SeededRandom("partable"),
    onMessage: (subject) => heard.push(subject),
    onNoResponders: (subject) => heard.push(subject),
    onStatus: (status) => heard.push(status),
  });
  const [wire] = wires;
  if (wire === undefined) throw new Error("the bus was not asked to connect");
  const [friend, foe] = ["west-2", "east-1"].map(
    (name) => new Subjects("shop", makeNodeId(name, INCARNATION)),
  );
  const ours = [friend?.all, friend?.scope("default"), friend?.name("west-1")];
  const theirs = [foe?.all, foe?.scope("default"), foe?.name("west-1")];
  const arriving = (): readonly unknown[] => {
    heard.length = 0;
    for (const subject of [...ours, ...theirs]) wire.onMessage(subject ?? "", new Uint8Array());
    return [...heard];
  };
  expect(connected).toBe(inner);
  expect(arriving()).toEqual([...ours, ...theirs]);
  bus.part([["west-1", "west-2"], ["east-1"]]);
  expect(arriving()).toEqual(ours);
  wire.onNoResponders("x");
  wire.onStatus({ kind: "disconnected" });
  expect(heard.slice(ours.length)).toEqual(["x", { kind: "disconnected" }]);
  bus.heal();
  expect(arriving()).toEqual([...ours, ...theirs]);
});
