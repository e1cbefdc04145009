import { beforeEach, describe, expect, test } from "vitest";
import { CombinedStream } from "../../../src/http/combined-stream.ts";
import type { EventStream } from "../../../src/http/event-stream.ts";
import { Feed } from "../../../src/http/feed.ts";
import { Turns } from "../../../src/http/turns.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";

const CAPACITY = 10;

interface Told {
  readonly event: string;
  readonly id: string | undefined;
  readonly table: string | undefined;
  readonly data: unknown;
}

/** A client that takes so many writes before it has to be asked again. */
class Client {
  readonly told: Told[] = [];
  room = Number.POSITIVE_INFINITY;

  get isWritable(): boolean {
    return this.room > 0;
  }

  write(text: string): void {
    this.room -= 1;
    for (const event of text.split("\n\n").slice(0, -1)) {
      const fields = new Map(event.split("\n").map((line) => line.split(": ", 2) as [string, string]));
      const data = event.slice(event.indexOf("data: ") + "data: ".length);
      const parsed = JSON.parse(data) as { readonly table?: string; readonly data?: unknown };
      this.told.push({
        event: fields.get("event") ?? "",
        id: fields.get("id"),
        table: parsed.table,
        data: parsed.data,
      });
    }
  }

  get lastId(): string | undefined {
    return this.told.findLast(({ id }) => id !== undefined)?.id;
  }

  get words(): readonly string[] {
    return this.told.map(({ event, table }) => (table === undefined ? event : `${table} ${event}`));
  }
}

describe("several feeds in one stream", () => {
  const clock = new VirtualClock();
  let epochs: number;
  let names: Feed;
  let events: Feed;
  let rows: string[];

  const feedOf = (keys: () => readonly string[]): Feed =>
    new Feed({
      rows: () => keys().map((key) => ({ key, text: () => JSON.stringify(key) })),
      clock,
      turns: new Turns(clock),
      capacity: CAPACITY,
      newEpoch: () => {
        epochs += 1;
        return `epoch${epochs}`;
      },
    });

  beforeEach(() => {
    epochs = 0;
    rows = ["a", "b"];
    names = feedOf(() => rows);
    events = feedOf(() => []);
  });

  const change = (feed: Feed, event: string) => feed.append({ key: "k", event, text: "{}" });

  function open(lastEventId?: string, client = new Client(), first?: Feed) {
    const stream = new CombinedStream({
      feeds: new Map([
        ...(first === undefined ? [] : ([["nodes", first]] as const)),
        ["names", names],
        ["events", events],
      ]),
      timeline: { table: "events", latest: 3 },
      stream: client as unknown as EventStream,
      lastEventId,
      hello: "{}",
    });
    stream.pump();
    return { client, stream };
  }

  test("tells the tables first, the latest of the timeline, and then what changes", () => {
    for (const number of [1, 2, 3, 4]) change(events, `old${number}`);
    const { client, stream } = open();
    expect(client.words).toEqual(["hello", "names state", "events old2", "events old3", "events old4"]);
    expect(client.told[1]?.data).toEqual({ items: ["a", "b"], last: true });
    change(names, "registered");
    stream.pump();
    expect(client.words.at(-1)).toBe("names registered");
  });

  test("goes on where a reader was, in every table", () => {
    const { client } = open();
    change(names, "one");
    change(events, "two");
    expect(open(client.lastId).client.words).toEqual(["hello", "names one", "events two"]);
  });

  test("tells nothing twice to a reader that was cut off between two tables", () => {
    const client = new Client();
    const { stream } = open(undefined, client);
    change(names, "one");
    change(events, "two");
    client.room = 1;
    stream.pump();
    expect(client.words.at(-1)).toBe("names one");
    expect(open(client.lastId).client.words).toEqual(["hello", "events two"]);
  });

  test("tells a table anew when it was replaced, or its changes are not kept", () => {
    const { client, stream } = open();
    rows = ["c"];
    names.restart();
    stream.pump();
    expect(client.words.slice(2)).toEqual(["names resync"]);
    for (let count = 0; count <= CAPACITY; count += 1) change(names, "more");
    stream.pump();
    expect(client.words.slice(3)).toEqual(["names resync"]);
  });

  test("tells all anew to a reader with an id of other epochs, or none of ours", () => {
    const { client } = open();
    names.restart();
    for (const id of [client.lastId, "0.0.0.aaaaaaaaaaaa", "x", "1", "999.999.aaaaaaaaaaaa"])
      expect(open(id).client.words).toEqual(["hello", "names resync"]);
  });

  test("tells a table to its end before it goes on with others", () => {
    const nodes = feedOf(() => []);
    const client = new Client();
    const { stream } = open(undefined, client, nodes);
    rows = Array.from({ length: 1_200 }, (_, index) => `n${index}`);
    names.restart();
    client.room = 1;
    stream.pump();
    change(nodes, "up");
    client.room = 10;
    stream.pump();
    expect(client.words.slice(3)).toEqual(["names resync", "names resync", "names resync", "nodes up"]);
  });

  test("gives no id until every table was told, so that a reader cut off before gets them all", () => {
    rows = Array.from({ length: 1_200 }, (_, index) => `n${index}`);
    const client = new Client();
    client.room = 3;
    const { stream } = open(undefined, client);
    change(events, "during");
    expect(client.words).toEqual(["hello", "names state", "names state"]);
    expect(client.lastId).toBeUndefined();
    client.room = 10;
    stream.pump();
    expect(client.words.slice(3)).toEqual(["names state", "events during"]);
    expect(client.lastId).toBeDefined();
  });
});
