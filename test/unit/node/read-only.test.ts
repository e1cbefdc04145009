import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { ClusterNode, Process } from "../../../src/node/types.ts";
import type { Registration } from "../../../src/resolve/types.ts";
import { Shells } from "../../support/shells.ts";

/** What JavaScript cannot freeze: how to make one, how a careless reader changes it, and how it looks. */
interface Kind {
  readonly make: () => unknown;
  readonly spoil: (value: never) => unknown;
  readonly look: (value: never) => unknown;
}

function kind<T>(make: () => T, spoil: (value: T) => unknown, look: (value: T) => unknown): Kind {
  return { make, spoil, look };
}

const KINDS: readonly (readonly [string, Kind])[] = [
  [
    "a Map",
    kind(
      () => new Map([["k", 1]]),
      (map) => map.set("k", 2),
      (map) => [...map],
    ),
  ],
  [
    "a Set",
    kind(
      () => new Set([1]),
      (set) => set.clear(),
      (set) => [...set],
    ),
  ],
  [
    "a Date",
    kind(
      () => new Date(5),
      (date) => date.setTime(6),
      (date) => date.getTime(),
    ),
  ],
  [
    "bytes",
    kind(
      () => Uint8Array.of(1, 2),
      (bytes) => bytes.fill(9),
      (bytes) => [...bytes],
    ),
  ],
  [
    "a typed array",
    kind(
      () => Float64Array.of(1, 2),
      (view) => view.fill(9),
      (view) => [...view],
    ),
  ],
  [
    "a DataView",
    kind(
      () => new DataView(new ArrayBuffer(1)),
      (view) => view.setUint8(0, 9),
      (view) => view.getUint8(0),
    ),
  ],
  [
    "an ArrayBuffer",
    kind(
      () => Uint8Array.of(1, 2).buffer,
      (buffer) => new Uint8Array(buffer).fill(9),
      (buffer) => [...new Uint8Array(buffer)],
    ),
  ],
  [
    "a RegExp",
    kind(
      () => /a/g,
      (regexp) => regexp.test("a"),
      (regexp) => regexp.lastIndex,
    ),
  ],
  [
    "an Error",
    kind(
      () => new Error("sound"),
      (error) => Object.assign(error, { message: "spoiled" }),
      (error) => error.message,
    ),
  ],
  [
    "a boxed primitive",
    kind(
      () => Object(1) as object,
      (box) => Object.assign(box, { extra: 1 }),
      (box) => Object.keys(box),
    ),
  ],
];

interface Wrapped {
  readonly deep: readonly [unknown];
}

const places = [
  ["by itself", (inner: unknown): unknown => inner, (outer: unknown): unknown => outer],
  [
    "deep inside plain objects",
    (inner: unknown): Wrapped => ({ deep: [inner] }),
    (outer: unknown): unknown => (outer as Wrapped).deep[0],
  ],
] as const;

const cases = KINDS.flatMap(([what, each]) =>
  places.map(([where, wrap, unwrap]) => ({ what, where, each, wrap, unwrap })),
);

/** Three members on each of two nodes, each of which spoils what it is given. */
function spoilers(
  nodes: readonly ClusterNode[],
  spoil: (value: unknown) => unknown,
): { readonly looks: unknown[]; readonly processes: Process[] } {
  const looks: unknown[] = [];
  const processes = nodes.flatMap((node) =>
    [1, 2, 3].map(() => {
      const process = node.spawn((message) => void looks.push(spoil(message)));
      node.groups.join("g", process);
      return process;
    }),
  );
  return { looks, processes };
}

describe.each(cases)("$what, $where", ({ each, wrap, unwrap }) => {
  const sound = (): unknown => wrap(each.make());
  const look = (value: unknown): unknown => each.look(unwrap(value) as never);
  const spoil = (value: unknown): unknown => each.spoil(unwrap(value) as never);
  const intact = look(sound());
  const lookThenSpoil = (value: unknown): unknown => {
    const seen = look(value);
    spoil(value);
    return seen;
  };

  test("changed by the reader of a message, is what it was for every other reader", async () => {
    const shells = new Shells("read-only:messages");
    const nodes = await shells.startAll("a", "b");
    const [a] = nodes;
    const { looks, processes } = spoilers(nodes, lookThenSpoil);
    await shells.run(50);
    a.groups.publish("g", sound());
    a.groups.publish("g", sound(), { except: a.spawn() });
    for (const process of processes) a.send(process, sound());
    await shells.run(50);
    await shells.until(a.multicall({ group: "g" }, sound()));
    expect(looks).toEqual(Array.from({ length: 24 }, () => intact));
  });

  test("changed by the caller, is what it was in the next answer", async () => {
    const shells = new Shells("read-only:answers");
    const nodes = await shells.startAll("a", "b");
    const kept = sound();
    for (const node of nodes) {
      const callee = node.spawn(() => kept);
      for (let round = 0; round < 2; round += 1) {
        expect(lookThenSpoil(await shells.until(nodes[0].call(callee, "?")))).toEqual(intact);
      }
    }
    expect(look(kept)).toEqual(intact);
  });

  test("changed by a reader of metadata, is what it was everywhere else", async () => {
    const shells = new Shells("read-only:meta");
    const nodes = await shells.startAll("a", "b");
    const [a] = nodes;
    const holder = a.spawn();
    const watches = nodes.flatMap(({ names, groups }) => [
      names.watch(),
      names.watch("n"),
      groups.watch(),
      groups.watch("g"),
    ]);
    const waits = nodes.flatMap(({ names }) => [names.waitFor("n"), names.waitFor("n")]);
    const registered = await shells.until(a.names.register("n", holder, { meta: sound() }));
    a.groups.join("g", holder, { meta: sound() });
    await shells.until(a.settled());

    const metas = (): readonly unknown[] =>
      nodes.flatMap(({ names, groups }) => [
        names.whereis("n")?.meta,
        ...[...names.list()].map(({ meta }) => meta),
        ...groups.members("g").map(({ meta }) => meta),
        groups.pick("g")?.meta,
      ]);
    const shown: unknown[] = [registered.meta, ...metas()];
    for (const wait of waits) shown.push((await wait).meta);
    for (const watch of watches) {
      await watch.next();
      const { value: event } = await watch.next();
      if (event?.kind === "registered") shown.push(event.registration.meta);
      if (event?.kind === "joined") shown.push(event.member.meta);
    }
    expect(shown).toHaveLength(1 + 8 + 4 + 8);
    for (const meta of shown) expect(lookThenSpoil(meta)).toEqual(intact);
    for (const meta of metas()) expect(look(meta)).toEqual(intact);
  });
});

test("a reader that changes what it was given changes nothing that is written later", async () => {
  const shells = new Shells("read-only:update");
  const [a, b] = await shells.startAll("a", "b");
  await shells.until(a.names.register("n", a.spawn(), { meta: { tags: new Map([["k", 1]]) } }));
  await shells.until(a.settled());
  const tagsAt = (node: ClusterNode): Map<string, number> => {
    const meta = node.names.whereis("n")?.meta as { readonly tags: Map<string, number> } | undefined;
    return meta?.tags ?? new Map();
  };
  tagsAt(a).set("k", 2);
  tagsAt(b).set("k", 3);
  await shells.until(a.names.update("n", (meta) => ({ ...(meta as object), more: true })));
  await shells.until(a.settled());
  for (const node of [a, b]) expect(tagsAt(node)).toEqual(new Map([["k", 1]]));
});

test("metadata that can be frozen is one object for all; other metadata prints like any property", async () => {
  const shells = new Shells("read-only:shared");
  const [a] = await shells.startAll("a");
  const process = a.spawn();
  await shells.until(a.names.register("plain", process, { meta: { list: [1] } }));
  await shells.until(a.names.register("dated", process, { meta: { since: new Date(0) } }));
  const plain = a.names.whereis("plain");
  expect(plain?.meta).toBe(a.names.whereis("plain")?.meta);
  const { list } = (plain as Registration).meta as { readonly list: readonly number[] };
  expect(Object.isFrozen(list)).toBe(true);
  const dated = a.names.whereis("dated");
  expect(inspect(dated)).toContain("since: 1970-01-01T00:00:00.000Z");
  expect(JSON.parse(JSON.stringify(dated))).toMatchObject({ meta: { since: "1970-01-01T00:00:00.000Z" } });
  expect({ ...dated }).toEqual(dated);
});
