import { isDeepStrictEqual } from "node:util";
import { MalformedError } from "./malformed.ts";
import { pack, unpack } from "./msgpack.ts";
import { packBytes, packText, readText, viewBytes } from "./value-flat.ts";
import { flatten } from "./value-graph.ts";
import { type Rebuilt, rebuild } from "./value-rebuild.ts";
import { copyTree, isBytes, NOT_A_TREE, settleTree } from "./value-tree.ts";
import { type ByteLimit, overLimit, ValueWalk } from "./value-walk.ts";

/**
 * In front of a value that is written as a graph. MessagePack never starts with this byte, so a plain tree, which most values
 * are, is MessagePack as it stands.
 */
const GRAPH = 0xc1;

/** In place of a value that somebody was given, and nobody else may be. */
const GIVEN_AWAY: unique symbol = Symbol("given away");

/**
 * What a user sends, or says about a name or a member: taken by copy when it enters. Where it is received, no reader sees what
 * another does to it.
 *
 * It may be anything that structured clone takes, except functions and instances of classes: primitives (not symbols), plain
 * objects and arrays, Map, Set, Date, RegExp, ArrayBuffer, typed arrays and DataView, boxed primitives, and errors, with
 * shared and cyclic references. It differs from structured clone in this: an object without a prototype arrives without one;
 * a view takes along only the bytes it shows; a subclass of an error arrives as the built-in error it extends; only the items
 * of an array are taken, not other properties of it; text that has no UTF-8 form is refused.
 */
export class Value {
  /** Carries undefined: the metadata of what was given none. */
  static readonly undefined: Value = new Value(pack(undefined));

  /** MessagePack, or the byte 0xc1 and then MessagePack. Nobody may write to it. */
  readonly bytes: Uint8Array;
  #decoded: Rebuilt | undefined;

  private constructor(bytes: Uint8Array, decoded?: Rebuilt) {
    this.bytes = bytes;
    this.#decoded = decoded;
  }

  /**
   * Takes a copy of `input`: later changes to it show nowhere.
   *
   * @param path how messages of errors call `input`
   * @throws InvalidArgumentError for what is not a value, or is nested more than 200 deep; its `path` leads to the part
   * @throws LimitExceededError when the copy would be larger than `limit`
   */
  static encode(input: unknown, limit: ByteLimit, path: string): Value {
    if (input === undefined) return Value.undefined;
    const flat = Value.#encodeFlat(input, limit);
    if (flat !== undefined) return flat;
    const walk = new ValueWalk(path, limit);
    const tree = copyTree(input, walk);
    const bytes = tree === NOT_A_TREE ? encodeGraph(input, new ValueWalk(path, limit)) : pack(tree);
    if (bytes.length > limit.bytes) throw overLimit(path, limit, `${bytes.length}`);
    return new Value(bytes);
  }

  /** Undefined for what takes more than a look to judge. */
  static #encodeFlat(input: unknown, limit: ByteLimit): Value | undefined {
    let bytes: Uint8Array;
    let decoded: Rebuilt | undefined;
    if (typeof input === "string") {
      if (input.length > limit.bytes || !input.isWellFormed()) return undefined;
      bytes = packText(input);
      decoded = { value: input, frozen: true, comparable: true };
    } else {
      if (!isBytes(input) || input.length > limit.bytes) return undefined;
      bytes = packBytes(input);
    }
    return bytes.length > limit.bytes ? undefined : new Value(bytes, decoded);
  }

  /** Takes bytes as they came from the bus, neither decoded nor copied: `kept` copies. */
  static fromBytes(bytes: Uint8Array): Value {
    return new Value(bytes);
  }

  /** The same value with bytes of its own, for tables: the others are views that hold on to a whole frame. */
  kept(): Value {
    return new Value(new Uint8Array(this.bytes));
  }

  /**
   * Whether `get` gives everyone the same object: when it holds nothing but primitives, plain objects and arrays, which are
   * frozen all the way down. Map, Set, Date, RegExp, Error, boxed primitives, buffers and typed arrays cannot be.
   *
   * @throws MalformedError when the bytes are not a value
   */
  get isShared(): boolean {
    this.#decoded ??= decode(this.bytes);
    return this.#decoded.frozen;
  }

  /**
   * What was encoded. It is decoded once and given to everyone, if it is shared; else everyone is given another.
   *
   * @throws MalformedError when the bytes are not a value
   */
  get(): unknown {
    this.#decoded ??= decode(this.bytes);
    const { frozen, value } = this.#decoded;
    if (frozen) return value;
    if (value === GIVEN_AWAY) return decode(this.bytes).value;
    this.#decoded.value = GIVEN_AWAY;
    return value;
  }

  /** For many readers: what all of them are given, if it is shared; else this, and each calls `get`. */
  forMany(): unknown {
    return this.isShared ? this.get() : this;
  }

  /**
   * Whether both decode to the same: the order of keys does not matter. Of values that take long to compare (shared
   * references, objects in a Set or as keys of a Map) only the bytes are compared. Never throws.
   */
  equals(other: Value): boolean {
    if (this === other || Buffer.compare(this.bytes, other.bytes) === 0) return true;
    try {
      return this.#comparable() && other.#comparable() && isDeepStrictEqual(this.get(), other.get());
    } catch (error) {
      if (error instanceof MalformedError) return false;
      throw error;
    }
  }

  #comparable(): boolean {
    this.#decoded ??= decode(this.bytes);
    return this.#decoded.comparable;
  }
}

function encodeGraph(input: unknown, walk: ValueWalk): Uint8Array {
  const nodes = pack(flatten(input, walk));
  const bytes = new Uint8Array(1 + nodes.length);
  bytes[0] = GRAPH;
  bytes.set(nodes, 1);
  return bytes;
}

function decode(bytes: Uint8Array): Rebuilt {
  if (bytes[0] === GRAPH) return rebuild(unpack(bytes.subarray(1)));
  const text = readText(bytes, 0, bytes.length);
  if (text !== undefined) return { value: text, frozen: true, comparable: true };
  const view = viewBytes(bytes, 0, bytes.length);
  if (view !== undefined) return { value: new Uint8Array(view), frozen: false, comparable: true };
  const decoded: Rebuilt = { value: undefined, frozen: true, comparable: true };
  decoded.value = settleTree(unpack(bytes), decoded);
  return decoded;
}
