import type { Msg } from "nats";
import { Arrivals, until } from "../arrivals.ts";
import { type Benchmark, type Contestant, type Part, PLACES, type Place } from "../contest.ts";
import { sendInWindows } from "../sending.ts";

const MESSAGE_BYTES = 128;

/** Items between two flushes, on both sides. */
const WINDOW = 4_096;

/** The sender's own member is given messages before the bus has taken them: `flushed()` does not hold it back. */
const MAILBOX = 1_000_000;

const GROUP = "deliveries";
const SUBJECT = "bench.deliveries";

const FILLER = "a";

/** What the messages are made of, and what reading one means to the plain client. */
interface Content {
  readonly words: string;
  readonly reading: string;
  readonly message: string | Uint8Array;
  lengthOf(message: Msg): number;
}

const bytes: Content = {
  words: `a Uint8Array of ${MESSAGE_BYTES} bytes`,
  reading: "looked at as bytes",
  message: new Uint8Array(MESSAGE_BYTES).fill(FILLER.charCodeAt(0)),
  lengthOf: (message) => message.data.length,
};

const text: Content = {
  words: `a string of ${MESSAGE_BYTES} ASCII characters`,
  reading: "decoded as text",
  message: FILLER.repeat(MESSAGE_BYTES),
  lengthOf: (message) => message.string().length,
};

function ours(content: Content): Contestant {
  return {
    name: "rollcall",
    does: `groups.publish() of ${content.words} to a group with one member on each node; flushed() every ${WINDOW} messages, two at most under way; until the handler of every member has run for each`,
    async open({ node }: Place): Promise<Part> {
      const arrivals = new Arrivals();
      const member = node.spawn(() => arrivals.add(), { mailbox: MAILBOX });
      node.groups.join(GROUP, member);
      await until(() => node.groups.count(GROUP) === PLACES);
      const send = (): void => void node.groups.publish(GROUP, content.message);
      return {
        async prepare({ items }) {
          arrivals.expect(items);
        },
        send: ({ items }) => sendInWindows(items, WINDOW, send, () => node.flushed()),
        arrived: () => arrivals.completion,
        async clear() {},
      };
    },
  };
}

/** @param own how the sender's own member gets its copies: as the others do, or from hand to hand, which NATS knows nothing of */
function publish(content: Content, own: "subscribes" | "is handed its own"): Contestant {
  const subject = `${SUBJECT}.${own === "subscribes" ? "3" : "2"}`;
  const isHanded = own === "is handed its own";
  const receivers = isHanded
    ? "both other processes subscribe, and the sender counts each message as it sends it"
    : "all three processes subscribe";
  return {
    name: isHanded ? "plain publish to the other two" : "plain publish to all three",
    does: `one message for each, as many bytes as we send for it; ${receivers}; ${content.reading} where it is received, and counted; a flush() every ${WINDOW} messages, two at most under way`,
    async open({ index, connection }: Place): Promise<Part> {
      const arrivals = new Arrivals();
      let received = 0;
      const receive = (length: number): void => {
        received += length;
        arrivals.add();
      };
      if (index !== 0 || !isHanded) {
        connection.subscribe(subject, {
          callback: (_error, message) => receive(content.lengthOf(message)),
        });
      }
      await connection.flush();
      return {
        async prepare({ items }) {
          received = 0;
          arrivals.expect(items);
        },
        async send({ items, itemBytes }) {
          const message = Buffer.alloc(Math.max(itemBytes.toAll, MESSAGE_BYTES), FILLER);
          const send = (): void => {
            if (isHanded) receive(message.length);
            connection.publish(subject, message);
          };
          await sendInWindows(items, WINDOW, send, () => connection.flush());
        },
        arrived: () => arrivals.completion,
        async clear({ items, itemBytes }) {
          const expected = items * Math.max(itemBytes.toAll, MESSAGE_BYTES);
          if (received !== expected) throw new Error(`${received} bytes of ${expected}`);
        },
      };
    },
  };
}

function deliveriesOf(name: string, content: Content): Benchmark {
  return {
    name,
    unit: name,
    what: `${content.words}, published to a group by one node, until the member on each of the three has it`,
    items: { full: 300_000, quick: 5_000 },
    unitsPerItem: PLACES,
    mark: 1.0,
    ours: ours(content),
    others: [publish(content, "subscribes"), publish(content, "is handed its own")],
  };
}

export const deliveries = deliveriesOf("deliveries", bytes);

/** As a benchmark of its own, because bytes and text go different ways on both sides. */
export const textDeliveries = deliveriesOf("text-deliveries", text);
