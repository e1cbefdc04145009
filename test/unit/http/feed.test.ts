import { describe, expect, test } from "vitest";
import { Feed } from "../../../src/http/feed.ts";
import { type FeedSink, FeedStream } from "../../../src/http/feed-stream.ts";
import { Turns } from "../../../src/http/turns.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";

/** A client that reads as much as it is told to. */
class Sink implements FeedSink {
  text = "";
  room = Number.POSITIVE_INFINITY;

  get isWritable(): boolean {
    return this.room > 0;
  }

  write(text: string): void {
    this.room -= 1;
    this.text += text;
  }

  /** Event names and data, and the last id. */
  get events(): readonly (readonly [string, unknown])[] {
    return [...this.text.matchAll(/event: (.*)\ndata: (.*)\n/g)].map(([, event = "", data = ""]) => [
      event,
      JSON.parse(data),
    ]);
  }

  get lastId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? "";
  }
}

class Table {
  readonly rows = new Map<string, number>();
  readonly clock = new VirtualClock();
  readonly feed: Feed;
  /** How often rows were copied, and the text of one made. */
  copies = 0;
  made = 0;
  #epochs = 0;

  constructor(capacity = 4) {
    this.feed = new Feed({
      rows: () => {
        this.copies += 1;
        return Array.from(this.rows, ([key, value]) => ({ key, text: () => this.#text(key, value) }));
      },
      clock: this.clock,
      turns: new Turns(this.clock),
      capacity,
      newEpoch: () => {
        this.#epochs += 1;
        return `e${this.#epochs}`;
      },
    });
  }

  #text(key: string, value: number): string {
    this.made += 1;
    return JSON.stringify([key, value]);
  }

  set(key: string, value: number): void {
    this.rows.set(key, value);
    this.feed.append({ key, event: "set", text: JSON.stringify([key, value]) });
  }

  watch(sink: Sink, lastEventId?: string, isWanted?: (key: string) => boolean): FeedStream {
    const stream = new FeedStream(this.feed, sink, isWanted, lastEventId);
    stream.pump();
    return stream;
  }
}

describe("a watched table", () => {
  test("tells the rows, then every change", () => {
    const table = new Table();
    table.set("a", 1);
    const sink = new Sink();
    const stream = table.watch(sink);
    table.set("b", 2);
    stream.pump();
    expect(sink.events).toEqual([
      ["state", { items: [["a", 1]], last: true }],
      ["set", ["b", 2]],
    ]);
  });

  test("tells an empty table too", () => {
    const sink = new Sink();
    new Table().watch(sink);
    expect(sink.events).toEqual([["state", { items: [], last: true }]]);
  });

  test("wakes its watchers once for what happens in one turn", () => {
    const table = new Table();
    let woken = 0;
    const unwatch = table.feed.watch(
      () => (woken += 1),
      () => {},
    );
    table.set("a", 1);
    table.set("b", 2);
    table.clock.runUntil(0);
    expect(woken).toBe(1);
    unwatch();
    table.set("c", 3);
    table.clock.runUntil(0);
    expect(woken).toBe(1);
  });

  test("goes on from an id that is kept, without rows", () => {
    const table = new Table();
    table.set("a", 1);
    const first = new Sink();
    table.watch(first);
    table.set("b", 2);
    table.set("c", 3);
    const second = new Sink();
    table.watch(second, first.lastId);
    expect(second.events).toEqual([
      ["set", ["b", 2]],
      ["set", ["c", 3]],
    ]);
  });

  test.each([
    [
      "is not kept any more",
      (table: Table) => {
        for (const value of [1, 2, 3, 4, 5]) table.set("a", value);
      },
    ],
    ["is of before the table was replaced", (table: Table) => table.feed.restart()],
  ])("tells the rows anew to one whose id %s", (_what, happen) => {
    const table = new Table();
    table.set("z", 0);
    const first = new Sink();
    table.watch(first);
    happen(table);
    const second = new Sink();
    table.watch(second, first.lastId);
    expect(second.events[0]?.[0]).toBe("resync");
    expect(second.events).toHaveLength(1);
  });

  test.each(["", "nonsense", "e1.-1", "e1.99", "e9.0"])(
    "takes %j for an id that is not kept",
    (lastEventId) => {
      const table = new Table();
      const sink = new Sink();
      table.watch(sink, lastEventId);
      expect(sink.events).toEqual([["resync", { items: [], last: true }]]);
    },
  );

  test("one that reads slowly is told the rows anew, and nothing is kept for it", () => {
    const table = new Table();
    const sink = new Sink();
    sink.room = 1;
    const stream = table.watch(sink);
    for (let value = 1; value <= 5; value += 1) table.set("a", value);
    stream.pump();
    expect(sink.events).toHaveLength(1);
    sink.room = 10;
    stream.pump();
    expect(sink.events.slice(1)).toEqual([["resync", { items: [["a", 5]], last: true }]]);
  });

  test("a slow one within what is kept misses nothing", () => {
    const table = new Table();
    const sink = new Sink();
    sink.room = 1;
    const stream = table.watch(sink);
    for (let value = 1; value <= 4; value += 1) table.set("a", value);
    sink.room = 10;
    stream.pump();
    expect(sink.events.slice(1)).toEqual([1, 2, 3, 4].map((value) => ["set", ["a", value]]));
  });

  test("many rows come in parts, and what changes meanwhile after them", () => {
    const table = new Table(10_000);
    for (let key = 0; key < 1_200; key += 1) table.set(`k${key}`, key);
    const sink = new Sink();
    sink.room = 1;
    const stream = table.watch(sink);
    table.set("k0", -1);
    sink.room = 10;
    stream.pump();
    const events = sink.events;
    expect(events.map(([event]) => event)).toEqual(["state", "state", "state", "set"]);
    const parts = events.slice(0, 3).map(([, data]) => data as { items: unknown[]; last: boolean });
    expect(parts.map(({ items, last }) => [items.length, last])).toEqual([
      [500, false],
      [500, false],
      [200, true],
    ]);
    // Whoever comes back between the parts begins anew.
    expect([...sink.text.matchAll(/^id: /gm)]).toHaveLength(2);
  });

  test("tells of what is wanted only, and its ids cover the rest", () => {
    const table = new Table();
    table.set("a", 1);
    table.set("b", 1);
    const sink = new Sink();
    const stream = table.watch(sink, undefined, (key) => key === "a");
    table.set("b", 2);
    table.set("a", 2);
    stream.pump();
    expect(sink.events).toEqual([
      ["state", { items: [["a", 1]], last: true }],
      ["set", ["a", 2]],
    ]);
  });

  test("makes the rows once for all who begin at the same place", () => {
    const table = new Table();
    table.set("a", 1);
    table.set("b", 2);
    const sinks = [new Sink(), new Sink(), new Sink()];
    for (const sink of sinks) table.watch(sink);
    expect([table.copies, table.made]).toEqual([1, 2]);
    table.set("a", 3);
    const later = new Sink();
    table.watch(later);
    expect(later.events).toEqual([
      [
        "state",
        {
          items: [
            ["a", 3],
            ["b", 2],
          ],
          last: true,
        },
      ],
    ]);
    for (const sink of sinks) expect(sink.text).toBe(sinks[0]?.text);
  });

  test("shares the rows of a large table while it changes, and tells what changed after them", () => {
    const table = new Table(10_000);
    for (let key = 0; key < 3_000; key += 1) table.set(`k${key}`, key);
    table.watch(new Sink());
    table.set("k0", -1);
    const second = new Sink();
    table.watch(second);
    expect(table.copies).toBe(1);
    expect(second.events.at(-1)).toEqual(["set", ["k0", -1]]);
    for (let count = 0; count < 1_000; count += 1) table.set("k0", count);
    const third = new Sink();
    table.watch(third);
    expect(table.copies).toBe(2);
    expect(third.events.at(-1)?.[0]).toBe("state");
  });

  test("takes no rows for one who cannot be told them yet", () => {
    const table = new Table();
    const sink = new Sink();
    sink.room = 0;
    table.watch(sink);
    expect(table.copies).toBe(0);
  });

  test("rows of much text come in parts of few", () => {
    const table = new Table();
    for (let count = 0; count < 4; count += 1) table.set(`${count}${"x".repeat(40_000)}`, count);
    const sink = new Sink();
    table.watch(sink);
    expect(sink.events.map(([, data]) => (data as { items: unknown[] }).items.length)).toEqual([2, 2]);
  });
});
