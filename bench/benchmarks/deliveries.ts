import { Arrivals, until } from "../arrivals.ts";
import { type Benchmark, type Contestant, type Part, PLACES, type Place } from "../contest.ts";
import { sendInWindows } from "../sending.ts";

const MESSAGE_BYTES = 128;

/** Items between two flushes, on both sides. Two of them must fit into a mailbox. */
const WINDOW = 4_096;

const GROUP = "deliveries";
const SUBJECT = "bench.deliveries";

const ours: Contestant = {
  name: "rollcall",
  does: `groups.publish() of a Uint8Array of ${MESSAGE_BYTES} bytes to a group with one member on each node; flushed() every ${WINDOW} messages, two at most under way; until the handler of every member has run for each`,
  async open({ node }: Place): Promise<Part> {
    const arrivals = new Arrivals();
    const member = node.spawn(() => arrivals.add());
    node.groups.join(GROUP, member);
    const message = new Uint8Array(MESSAGE_BYTES).fill(0x61);
    await until(() => node.groups.count(GROUP) === PLACES);
    return {
      async prepare({ items }) {
        arrivals.expect(items);
      },
      send: ({ items }) =>
        sendInWindows(
          items,
          WINDOW,
          () => void node.groups.publish(GROUP, message),
          () => node.flushed(),
        ),
      arrived: () => arrivals.completion,
      async clear() {},
    };
  },
};

const publish: Contestant = {
  name: "plain publish",
  does: `one message for each, as many bytes as we send for it; counted by the sender and by both receivers; a flush() every ${WINDOW} messages, two at most under way`,
  async open({ index, connection }: Place): Promise<Part> {
    const arrivals = new Arrivals();
    let receivedBytes = 0;
    const receive = (data: Uint8Array): void => {
      receivedBytes += data.length;
      arrivals.add();
    };
    if (index !== 0) connection.subscribe(SUBJECT, { callback: (_error, { data }) => receive(data) });
    await connection.flush();
    return {
      async prepare({ items }) {
        receivedBytes = 0;
        arrivals.expect(items);
      },
      async send({ items, itemBytes }) {
        const message = Buffer.alloc(Math.max(itemBytes.toAll, MESSAGE_BYTES), 0x61);
        const send = (): void => {
          receive(message);
          connection.publish(SUBJECT, message);
        };
        await sendInWindows(items, WINDOW, send, () => connection.flush());
      },
      arrived: () => arrivals.completion,
      async clear({ items, itemBytes }) {
        const expected = items * Math.max(itemBytes.toAll, MESSAGE_BYTES);
        if (receivedBytes !== expected) throw new Error(`${receivedBytes} bytes of ${expected}`);
      },
    };
  },
};

export const deliveries: Benchmark = {
  name: "deliveries",
  unit: "deliveries",
  what: `messages of ${MESSAGE_BYTES} bytes to a group, until the member on each of the three nodes has them`,
  items: { full: 100_000, quick: 5_000 },
  unitsPerItem: PLACES,
  mark: 1.0,
  ours,
  others: [publish],
};
