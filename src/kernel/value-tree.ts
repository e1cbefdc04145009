import { MalformedError } from "./malformed.ts";
import { MAX_DEPTH, type ValueWalk } from "./value-walk.ts";

/** What `copyTree` gives for a value that is not a plain tree, but may be a graph. */
export const NOT_A_TREE: unique symbol = Symbol("not a tree");

const LEAST_INT64 = -(2n ** 63n);
const MOST_UINT64 = 2n ** 64n - 1n;

/**
 * Copies a value of the common kind: primitives, text, bytes, arrays and plain objects, each object met once. The copy has no
 * getters and no proxies, so encoding it afterwards meets nothing that this walk has not seen.
 */
export function copyTree(input: unknown, walk: ValueWalk): unknown {
  return copy(input, walk, { objects: 0, first: undefined, all: undefined });
}

/** The objects met so far. Most values have one, and need no set. */
interface Seen {
  objects: number;
  first: object | undefined;
  all: Set<object> | undefined;
}

function copy(value: unknown, walk: ValueWalk, seen: Seen): unknown {
  switch (typeof value) {
    case "string":
      walk.spendText(value);
      return value;
    case "number":
      walk.spend(1);
      return Object.is(value, -0) ? NOT_A_TREE : value;
    case "bigint":
      walk.spend(9);
      return value < LEAST_INT64 || value > MOST_UINT64 ? NOT_A_TREE : value;
    case "boolean":
    case "undefined":
      walk.spend(1);
      return value;
    case "object":
      break;
    default:
      return NOT_A_TREE;
  }
  walk.spend(1);
  if (value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return isNew(value, seen) ? copyObject(value, walk, seen) : NOT_A_TREE;
  if (prototype === Array.prototype && Array.isArray(value)) {
    return isNew(value, seen) ? copyArray(value, walk, seen) : NOT_A_TREE;
  }
  if (isBytes(value)) {
    walk.spend(value.length);
    return isNew(value, seen) ? value : NOT_A_TREE;
  }
  return NOT_A_TREE;
}

/** A Uint8Array, or the Buffer that Node makes of it: received as a Uint8Array either way. */
export function isBytes(value: unknown): value is Uint8Array {
  if (!(value instanceof Uint8Array)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Uint8Array.prototype || prototype === Buffer.prototype;
}

function isNew(object: object, seen: Seen): boolean {
  seen.objects += 1;
  if (seen.objects === 1) {
    seen.first = object;
    return true;
  }
  if (seen.first === object) return false;
  seen.all ??= new Set();
  return seen.all.size < seen.all.add(object).size;
}

function copyObject(object: object, walk: ValueWalk, seen: Seen): unknown {
  walk.enter(object);
  const source = object as Readonly<Record<string, unknown>>;
  const copied: Record<string, unknown> = {};
  for (const key of Object.keys(source)) {
    walk.at(key);
    walk.spendKey(key);
    // As a property of that name cannot simply be assigned, here or in the library that decodes.
    if (key === "__proto__") return NOT_A_TREE;
    const part = copy(source[key], walk, seen);
    if (part === NOT_A_TREE) return NOT_A_TREE;
    copied[key] = part;
  }
  walk.leave();
  return copied;
}

function copyArray(array: readonly unknown[], walk: ValueWalk, seen: Seen): unknown {
  walk.enter(array);
  const copied: unknown[] = [];
  for (let index = 0; index < array.length; index += 1) {
    walk.at(index);
    const item = array[index];
    if (item === undefined && !Object.hasOwn(array, index)) return NOT_A_TREE;
    const part = copy(item, walk, seen);
    if (part === NOT_A_TREE) return NOT_A_TREE;
    copied.push(part);
  }
  walk.leave();
  return copied;
}

/**
 * Makes a decoded tree read-only, and independent of the frame that it came in: bytes in it are copied. As those cannot be
 * made read-only, `found` tells whether there are any.
 */
export function settleTree(tree: unknown, found: { frozen: boolean }, depth = 0): unknown {
  if (typeof tree !== "object" || tree === null) return tree;
  if (tree instanceof Uint8Array) {
    found.frozen = false;
    return new Uint8Array(tree);
  }
  if (depth === MAX_DEPTH) throw new MalformedError(`a value nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(tree)) {
    for (let index = 0; index < tree.length; index += 1) {
      const item: unknown = tree[index];
      if (typeof item === "object" && item !== null) tree[index] = settleTree(item, found, depth + 1);
    }
  } else {
    const object = tree as Record<string, unknown>;
    for (const key of Object.keys(object)) {
      const part = object[key];
      if (typeof part === "object" && part !== null) object[key] = settleTree(part, found, depth + 1);
    }
  }
  return Object.freeze(tree);
}
