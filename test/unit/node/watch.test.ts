import { describe, expect, test } from "vitest";
import { BusClosedError, LimitExceededError } from "../../../src/kernel/errors.ts";
import { AbortListeners } from "../../../src/node/abort-listeners.ts";
import { type Watcher, WatchHub, WatchQuota } from "../../../src/node/watch-hub.ts";

/** A table that is one number, and the hub of those who watch it. */
function setUp(options: { watchQueue?: number; watches?: number } = {}) {
  let value = 0;
  const interest: boolean[] = [];
  const quota = new WatchQuota(new AbortListeners(), options.watches ?? 100);
  const hub = new WatchHub<string>({
    quota,
    watchQueue: options.watchQueue ?? 3,
    snapshot: (kind, key) => `${kind}${key ?? ""} ${value}`,
    onInterest: (watched) => interest.push(watched),
  });
  const change = (key: string | undefined = undefined): void => {
    value += 1;
    hub.emit(key, `to ${value}`);
  };
  return { change, hub, interest, quota };
}

async function take<T>(watch: AsyncIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for (let index = 0; index < count; index += 1) taken.push((await watch.next()).value);
  return taken;
}

describe("a watch", () => {
  test("begins with the state as it was when it was asked for", async () => {
    const { change, hub } = setUp();
    change();
    const watch = hub.open(undefined, undefined);
    change();
    change();
    expect(await take(watch, 3)).toEqual(["state 1", "to 2", "to 3"]);
  });

  test("hands events to readers that wait already, in order", async () => {
    const { change, hub } = setUp();
    const watch = hub.open(undefined, undefined);
    const readers = [watch.next(), watch.next(), watch.next()];
    change();
    change();
    expect((await Promise.all(readers)).map(({ value }) => value)).toEqual(["state 0", "to 1", "to 2"]);
  });

  test("gives one resync in place of what a slow reader missed, then goes on", async () => {
    const { change, hub, quota } = setUp({ watchQueue: 3 });
    const watch = hub.open(undefined, undefined);
    for (let count = 0; count < 3; count += 1) change();
    expect(await take(watch, 4)).toEqual(["state 0", "to 1", "to 2", "to 3"]);
    for (let count = 0; count < 50; count += 1) change();
    expect(await take(watch, 1)).toEqual(["resync 53"]);
    change();
    expect(await take(watch, 1)).toEqual(["to 54"]);
    expect(quota.resyncs).toBe(1);
  });

  test("the state does not count against the queue", async () => {
    const { change, hub } = setUp({ watchQueue: 2 });
    const watch = hub.open(undefined, undefined);
    change();
    change();
    expect(await take(watch, 3)).toEqual(["state 0", "to 1", "to 2"]);
  });

  test("sees one key, or all", async () => {
    const { change, hub } = setUp();
    const [one, all] = [hub.open("one", undefined), hub.open(undefined, undefined)];
    change("one");
    change("two");
    change("one");
    expect(await take(one, 3)).toEqual(["stateone 0", "to 1", "to 3"]);
    expect(await take(all, 4)).toEqual(["state 0", "to 1", "to 2", "to 3"]);
  });
});

describe("the end of a watch", () => {
  test("comes with return, break, abort and disposal, and the table hears when nobody is left", async () => {
    const { hub, interest, quota } = setUp();
    const controller = new AbortController();
    const watches = [
      hub.open(undefined, undefined),
      hub.open("k", controller.signal),
      hub.open("k", undefined),
    ];
    expect([interest, quota.used]).toEqual([[true], 3]);
    const waiting = watches[0]?.next().then(() => watches[0]?.next());
    await Promise.resolve();
    await watches[0]?.return();
    expect(await waiting).toEqual({ value: undefined, done: true });
    controller.abort();
    expect(await watches[1]?.next()).toEqual({ value: undefined, done: true });
    await watches[2]?.[Symbol.asyncDispose]();
    expect([interest, quota.used]).toEqual([[true, false], 0]);
    const aborted = hub.open(undefined, AbortSignal.abort());
    expect(await aborted.next()).toEqual({ value: undefined, done: true });
    expect(quota.used).toBe(0);
    for await (const event of hub.open(undefined, undefined)) {
      expect(event).toBe("state 0");
      break;
    }
    expect(quota.used).toBe(0);
  });

  test("when the node stops, what is queued is still read, then it is over", async () => {
    const { change, hub } = setUp();
    const watch = hub.open(undefined, undefined);
    change();
    hub.close();
    expect(await take(watch, 2)).toEqual(["state 0", "to 1"]);
    expect(await watch.next()).toEqual({ value: undefined, done: true });
  });

  test("when the node was closed against its will, one reader is told", async () => {
    const { hub } = setUp();
    const watch = hub.open(undefined, undefined);
    await watch.next();
    const readers = [watch.next(), watch.next()];
    hub.close(new BusClosedError("gone"));
    await expect(readers[0]).rejects.toThrow("gone");
    expect(await readers[1]).toEqual({ value: undefined, done: true });
    const other = setUp().hub;
    const later = other.open(undefined, undefined);
    other.close(new BusClosedError("gone"));
    expect((await later.next()).value).toBe("state 0");
    await expect(later.next()).rejects.toThrow("gone");
    expect(await later.next()).toEqual({ value: undefined, done: true });
  });

  test("more than limits.watches are refused, and a watcher that cannot begin leaves no trace", () => {
    const { hub, interest, quota } = setUp({ watches: 2 });
    const fails = (): Watcher<string> => {
      throw new Error("no");
    };
    expect(() => hub.add("k", fails)).toThrow("no");
    expect([interest, quota.used]).toEqual([[true, false], 0]);
    hub.open(undefined, undefined);
    hub.open(undefined, undefined);
    expect(() => hub.open(undefined, undefined)).toThrow(LimitExceededError);
  });

  test("who only waits for a name takes no place of theirs, and gives none back", () => {
    const { hub, quota } = setUp({ watches: 1 });
    const waiter: Watcher<string> = { push: () => {}, end: () => {} };
    hub.add("k", () => waiter);
    expect(quota.used).toBe(0);
    hub.open(undefined, undefined);
    const other = { ...waiter };
    hub.add("k", () => other);
    hub.remove(waiter, "k");
    hub.remove(other, "k");
    expect(quota.used).toBe(1);
    expect(() => hub.open(undefined, undefined)).toThrow(LimitExceededError);
  });
});
