import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedError } from "../../src/kernel/malformed.ts";
import { pack } from "../../src/kernel/msgpack.ts";
import { Value } from "../../src/kernel/value.ts";
import { NODE } from "../../src/kernel/value-graph.ts";
import { MAX_DEPTH, MAX_HOLES } from "../../src/kernel/value-walk.ts";
import { anyValue, encode } from "./any-value.ts";

describe("hostile bytes", () => {
  function readOrRefuse(bytes: Uint8Array): void {
    const value = Value.fromBytes(bytes);
    try {
      value.get();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
    }
    expect(value.equals(Value.undefined)).toBeTypeOf("boolean");
  }

  test("at random are read or refused as malformed", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), readOrRefuse), { numRuns: 10_000 });
  });

  test("that a graph's mark is put in front of are read or refused as malformed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => readOrRefuse(Uint8Array.of(0xc1, ...bytes))),
      { numRuns: 10_000 },
    );
  });

  test("that are a good value with some of them changed are read or refused as malformed", () => {
    const change = fc.record({ at: fc.nat(), to: fc.nat(255) });
    fc.assert(
      fc.property(anyValue, fc.array(change, { minLength: 1, maxLength: 5 }), (input, changes) => {
        const damaged = Uint8Array.from(encode(input).bytes);
        for (const { at, to } of changes) damaged[at % damaged.length] = to;
        readOrRefuse(damaged);
      }),
      { numRuns: 5_000 },
    );
  });

  test("that are a graph of made-up nodes are read or refused as malformed", () => {
    const part = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(fc.integer({ min: -1, max: 6 })) },
      { weight: 2, arbitrary: fc.integer({ min: -2, max: 20 }) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          "__proto__",
          "name",
          "stack",
          "cause",
          "gv",
          "(",
          "-ff",
          "",
          null,
          true,
          undefined,
        ),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 9 }) },
      { weight: 1, arbitrary: fc.constantFrom(2 ** 32, 2 ** 31, 0.5, -1, [], {}, 1n) },
    );
    const node = fc.tuple(fc.constantFrom(...Object.values(NODE), 14), fc.array(part, { maxLength: 6 }));
    fc.assert(
      fc.property(fc.array(node, { maxLength: 7 }), (nodes) => {
        const graph = pack(nodes.map(([kind, parts]) => [kind, ...parts]));
        readOrRefuse(Uint8Array.of(0xc1, ...graph));
      }),
      { numRuns: 20_000 },
    );
    expect(({} as { readonly name?: unknown }).name).toBeUndefined();
  });

  test.each<[string, readonly unknown[]]>([
    ["no nodes", []],
    ["a sparse array of four billion items", [[NODE.SPARSE, 2 ** 32 - 1]]],
    [
      "many sparse arrays of many holes",
      [
        [NODE.ARRAY, [1], [2]],
        [NODE.SPARSE, MAX_HOLES],
        [NODE.SPARSE, MAX_HOLES],
      ],
    ],
    ["a chain deeper than any value", chainOf(MAX_DEPTH + 2)],
    ["a chain deeper than the stack", chainOf(100_000)],
    ["a node that is not there", [[NODE.ARRAY, [1]]]],
    ["a view that does not fit", [[NODE.VIEW, 8, Uint8Array.of(1)]]],
    ["a regular expression that is none", [[NODE.REGEXP, "(", ""]]],
    ["a hex number that is none", [[NODE.BIGINT, "0x1"]]],
    ["a box around an object", [[NODE.BOXED, [1]], [NODE.OBJECT]]],
  ])("that claim %s are refused", (_what, nodes) => {
    const bytes = Buffer.concat([Uint8Array.of(0xc1), pack(nodes)]);
    expect(() => Value.fromBytes(bytes).get()).toThrow(MalformedError);
  });

  test("that nest deeper than any value are refused", () => {
    for (const depth of [MAX_DEPTH + 1, 100_000]) {
      const bytes = new Uint8Array(depth + 1).fill(0x91);
      bytes[depth] = 0x01;
      expect(() => Value.fromBytes(bytes).get()).toThrow(MalformedError);
    }
  });
});

/** Each node holds the next, and the last none: as many arrays, one in the other. */
function chainOf(length: number): readonly unknown[] {
  return Array.from({ length }, (_, index) =>
    index < length - 1 ? [NODE.ARRAY, [index + 1]] : [NODE.ARRAY],
  );
}
