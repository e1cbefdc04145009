/** The views of an ArrayBuffer, by the number that stands for each on the wire. Append only. */
export const VIEWS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
] as const;

/** The language's own errors, by the number that stands for each on the wire. Append only. The first stands for all others. */
export const ERRORS = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
] as const;

/** By prototype. Working it out reads the source text of a function, which is slow. */
const names = new WeakMap<object, string>();

/**
 * The name of the language's own class that this is the prototype of, or "" when it is not. Classes of all realms count: values
 * that come out of a `vm` context have prototypes of their own.
 */
export function nameOfBuiltIn(prototype: unknown): string {
  if (typeof prototype !== "object" || prototype === null) return "";
  let name = names.get(prototype);
  if (name === undefined) {
    name = workOutName(prototype);
    names.set(prototype, name);
  }
  return name;
}

function workOutName(prototype: object): string {
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof maker !== "function") return "";
  const isNative = Function.prototype.toString.call(maker) === `function ${maker.name}() { [native code] }`;
  return isNative ? maker.name : "";
}
