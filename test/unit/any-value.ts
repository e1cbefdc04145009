import fc from "fast-check";
import { Value } from "../../src/kernel/value.ts";

const limit = { name: "messageBytes", bytes: 512 * 1024 };

export function encode(input: unknown): Value {
  return Value.encode(input, limit, "message");
}

/** Values of all kinds. Invalid dates are left out, because `isDeepStrictEqual` finds two of them different. */
export const anyValue = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  key: fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("__proto__", "constructor", "toJSON", "hasOwnProperty", "", "7"),
  ),
  values: [
    fc.boolean(),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    fc.string({ unit: "binary" }),
    fc.constantFrom(null, undefined, -0, Number.NaN, 2 ** 53, -(2 ** 31), 2 ** 32, "__proto__"),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.constantFrom(/a(b)*/giu, /^$/),
  ],
});
