import { expect, test } from "vitest";
import type { Bus, BusConnection, BusConnectOptions, BusStatus } from "../../../src/bus/port.ts";
import { cuttable } from "../../../src/cli/demo/cuttable.ts";
import { makeIncarnation, makeNodeId } from "../../../src/kernel/ids.ts";
import { SeededRandom } from "../../../src/kernel/random.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import { Subjects } from "../../../src/node/subjects.ts";

test("a node that is cut off from others takes nothing from them, all from the rest, and all again once it is healed", async () => {
  const { bus, wire, messages } = await connected();
  const [friend, foe] = [subjectsOf("web.1"), subjectsOf("web.2")];
  const subjects = [
    friend.all,
    foe.all,
    foe.scope("default"),
    foe.node(makeNodeId("me", INCARNATION)),
    foe.name("me"),
  ];
  const arriving = (): string[] => {
    messages.length = 0;
    for (const subject of subjects) wire.onMessage(subject, new Uint8Array());
    return [...messages];
  };
  expect(arriving()).toStrictEqual(subjects);
  bus.cutOff(["web.2", "web-3"]);
  expect(arriving()).toStrictEqual([friend.all]);
  bus.cutOff([]);
  expect(arriving()).toStrictEqual(subjects);
});

test("what the bus itself says comes through a cut, and so does what the node says to it", async () => {
  const { bus, wire, heard, connection, inner } = await connected();
  bus.cutOff(["web.2"]);
  wire.onNoResponders("rc.x.node.web=2E2");
  wire.onStatus({ kind: "disconnected" });
  expect(heard).toStrictEqual(["rc.x.node.web=2E2", { kind: "disconnected" }]);
  expect(connection).toBe(inner);
});

const INCARNATION = makeIncarnation(1_700_000_000_000, [1, 2]);

function subjectsOf(name: string): Subjects {
  return new Subjects("shop", makeNodeId(name, INCARNATION));
}

async function connected() {
  const wires: BusConnectOptions[] = [];
  const inner = {} as BusConnection;
  const plain: Bus = {
    kind: "memory",
    connect: async (options) => {
      wires.push(options);
      return inner;
    },
  };
  const bus = cuttable(plain);
  const messages: string[] = [];
  const heard: (string | BusStatus)[] = [];
  const connection = await bus.connect({
    clientName: "me",
    clock: new VirtualClock(),
    random: new SeededRandom("cuttable"),
    onMessage: (subject) => messages.push(subject),
    onNoResponders: (subject) => heard.push(subject),
    onStatus: (status) => heard.push(status),
  });
  const [wire] = wires;
  if (wire === undefined) throw new Error("the bus was not asked to connect");
  return { bus, wire, messages, heard, connection, inner };
}
