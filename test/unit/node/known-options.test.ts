import { afterEach, expect, test } from "vitest";
import { InvalidArgumentError } from "../../../src/kernel/errors.ts";
import { SeededRandom } from "../../../src/kernel/random.ts";
import { MemoryLeases } from "../../../src/lease/memory/store.ts";
import type { ClusterNode } from "../../../src/node/types.ts";
import { Shells } from "../../support/shells.ts";

/** As from JavaScript, where nobody checks the keys. */
type Loose = Record<string, unknown>;

const METHODS: readonly (readonly [
  method: string,
  taken: string,
  use: (node: ClusterNode, options: Loose) => unknown,
])[] = [
  ["call", "timeoutMs, signal, from", (node, options) => node.call(node.spawn(), 1, options)],
  ["multicall", "timeoutMs, signal, from", (node, options) => node.multicall([], 1, options)],
  ["send", "from", (node, options) => node.send(node.spawn(), 1, options)],
  ["spawn", "concurrency, mailbox, onError, onNotice", (node, options) => node.spawn(() => 1, options)],
  ["scope", "resolve, timeoutMs, signal", (node, options) => node.scope("s", options)],
  ["settled", "timeoutMs, signal", (node, options) => node.settled(options)],
  ["flushed", "timeoutMs, signal", (node, options) => node.flushed(options)],
  ["drain", "deadlineMs", (node, options) => node.drain(options)],
  ["watchNodes", "signal", (node, options) => node.watchNodes(options)],
  [
    "register",
    "meta, resolve, timeoutMs, signal",
    (node, options) => node.names.register("n", node.spawn(), options),
  ],
  [
    "reregister",
    "meta, resolve, timeoutMs, signal",
    (node, options) => node.names.reregister("n", node.spawn(), options),
  ],
  [
    "strictNames.register",
    "meta, wait, onLost, timeoutMs, signal",
    (node, options) => node.strictNames.register("n", node.spawn(), options),
  ],
  ["lookup", "timeoutMs, signal", (node, options) => node.strictNames.lookup("n", options)],
  ["watch", "signal", (node, options) => node.strictNames.watch("n", options)],
  ["update", "timeoutMs, signal", (node, options) => node.names.update("n", () => 1, options)],
  ["transfer", "timeoutMs, signal", (node, options) => node.names.transfer("n", node.spawn(), options)],
  ["unregister", "pid, timeoutMs, signal", (node, options) => node.names.unregister("n", options)],
  ["waitFor", "timeoutMs, signal", (node, options) => node.names.waitFor("n", options)],
  ["count", "node", (node, options) => node.names.count(options)],
  ["count", "node", (node, options) => node.groups.count("g", options)],
  ["watch", "signal", (node, options) => node.names.watch("n", options)],
  ["watch", "signal", (node, options) => node.groups.watch("g", options)],
  ["join", "meta", (node, options) => node.groups.join("g", node.spawn(), options)],
  ["publish", "from, except, only", (node, options) => node.groups.publish("g", 1, options)],
];

afterEach(() => {
  Reflect.deleteProperty(Object.prototype, "everywhere");
});

test.each(METHODS)(
  "%s refuses a key that it does not know, and names those it does",
  async (method, taken, use) => {
    const shells = new Shells("unknown options");
    const leases = new MemoryLeases({ clock: shells.clock, random: new SeededRandom("leases") });
    const node = await shells.start("a", { leases });
    const refused = async (options: Loose): Promise<unknown> => {
      try {
        return await use(node, options);
      } catch (error) {
        return error;
      }
    };
    const error = await refused({ timeout: 5 });
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({
      path: "options.timeout",
      value: 5,
      message: `options.timeout is 5; it takes nothing: the options of ${method} are ${taken}`,
    });
    expect(await refused({ ...["x"] })).toMatchObject({ path: "options.0" });
    expect(node.names.count() + node.groups.list().length).toBe(0);
    expect(node.stats().pendingRequests).toBe(0);
  },
);

test("what all objects inherit is not taken for an option", async () => {
  const shells = new Shells("inherited");
  const [node] = await shells.startAll("a");
  Object.assign(Object.prototype, { everywhere: true });
  node.groups.join("g", node.spawn(), { meta: 1 });
  expect(node.groups.count("g", {})).toBe(1);
});
