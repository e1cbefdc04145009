import type { NatsConnection } from "nats";
import type { Process } from "../../src/index.ts";
import { Arrivals, until } from "../arrivals.ts";
import { type Benchmark, type Contestant, type Part, PLACES, type Place, type Round } from "../contest.ts";
import { keyOf, numberOf, PlainItems } from "../plain-item.ts";
import { sendInLanes, sendInWindows } from "../sending.ts";

/** Registrations that are under way at once. */
const IN_FLIGHT = 256;

/** Items between two flushes of the plain client. */
const WINDOW = 4_096;

const TELL = "bench.registrations.tell";
const ASK = "bench.registrations.ask";

function nameOf(round: Round, index: number): string {
  return `r${round.number}-${index}`;
}

function longestNameOf(round: Round): number {
  return nameOf(round, round.items).length;
}

const ours: Contestant = {
  name: "rollcall",
  does: `names.register() of fresh names, one process of the first node, ${IN_FLIGHT} under way at once; until names.count() is complete on every node`,
  async open({ index, node }: Place): Promise<Part> {
    let holder: Process | undefined;
    await until(() => node.nodes().length === PLACES);
    return {
      async prepare() {
        if (index === 0) holder = node.spawn();
      },
      async send(round) {
        const pid = holder?.pid;
        if (pid === undefined) throw new Error("the round was not prepared");
        await sendInLanes(round.items, IN_FLIGHT, (item) => node.names.register(nameOf(round, item), pid));
      },
      arrived: ({ items }) => until(() => node.names.count() === items),
      async clear() {
        holder?.exit();
        await until(() => node.names.count() === 0);
      },
    };
  },
};

/** What a process of the plain client keeps, and how it hears of the others'. */
class PlainTable {
  readonly names = new Map<string, number>();
  readonly arrivals = new Arrivals();

  constructor({ index, connection }: Place, subject: string) {
    if (index === 0) return;
    connection.subscribe(subject, {
      callback: (_error, { data }) => this.put(keyOf(data), numberOf(data)),
    });
  }

  put(name: string, holder: number): void {
    this.names.set(name, holder);
    this.arrivals.add();
  }

  async clear({ items }: Round): Promise<void> {
    if (this.names.size !== items) throw new Error(`${this.names.size} names of ${items}`);
    this.names.clear();
  }
}

const publish: Contestant = {
  name: "plain publish",
  does: `one message for each name, as many bytes as we send to all nodes for it; put into a Map by the sender and by both receivers; nobody is asked whether the name is free; a flush() every ${WINDOW} messages, two at most under way`,
  async open(place: Place): Promise<Part> {
    const { connection } = place;
    const table = new PlainTable(place, TELL);
    await connection.flush();
    return {
      async prepare({ items }) {
        table.arrivals.expect(items);
      },
      async send(round) {
        const items = new PlainItems(round.itemBytes.toAll, longestNameOf(round));
        const send = (index: number): void => {
          const name = nameOf(round, index);
          table.put(name, index);
          connection.publish(TELL, items.write(name, index));
        };
        await sendInWindows(round.items, WINDOW, send, () => connection.flush());
      },
      arrived: () => table.arrivals.completion,
      clear: (round) => table.clear(round),
    };
  },
};

const askThenTell: Contestant = {
  name: "plain request, then publish",
  does: `as we do it, without batches: each name is asked for with request() at the process that its number picks (a third of them here, without a message), ${IN_FLIGHT} under way at once, and published when it is granted`,
  async open(place: Place): Promise<Part> {
    const { connection, index: own } = place;
    const table = new PlainTable(place, `${TELL}.granted`);
    answer(connection, own);
    await connection.flush();
    return {
      async prepare({ items }) {
        table.arrivals.expect(items);
      },
      async send(round) {
        // Of each three items, two ask.
        const askBytes = Math.round((round.itemBytes.toOne * PLACES) / (PLACES - 1));
        const asks = new PlainItems(askBytes, longestNameOf(round));
        const items = new PlainItems(round.itemBytes.toAll, longestNameOf(round));
        await sendInLanes(round.items, IN_FLIGHT, async (index) => {
          const name = nameOf(round, index);
          const arbiter = index % PLACES;
          if (arbiter !== own) await connection.request(`${ASK}.${arbiter}`, asks.write(name, index));
          table.put(name, index);
          connection.publish(`${TELL}.granted`, items.write(name, index));
        });
      },
      arrived: () => table.arrivals.completion,
      clear: (round) => table.clear(round),
    };
  },
};

/** Grants whatever it is asked. */
function answer(connection: NatsConnection, own: number): void {
  connection.subscribe(`${ASK}.${own}`, { callback: (_error, message) => void message.respond() });
}

export const registrations: Benchmark = {
  name: "registrations",
  unit: "registrations",
  what: "names registered by one node, until all three nodes show them",
  items: { full: 40_000, quick: 2_000 },
  unitsPerItem: 1,
  mark: 0.2,
  ours,
  others: [publish, askThenTell],
};
