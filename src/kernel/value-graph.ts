import { types } from "node:util";
import { ERRORS, nameOfBuiltIn, VIEWS } from "./value-builtins.ts";
import { isBytes } from "./value-tree.ts";
import { MAX_HOLES, type Step, type ValueWalk } from "./value-walk.ts";

/**
 * The first number of each node, which says what follows:
 * `OBJECT` and `DICTIONARY` (no prototype) key, part, ...; `ARRAY` part, ...; `SPARSE` length, index, part, ...; `MAP` key,
 * part, ...; `SET` part, ...; `DATE` milliseconds; `REGEXP` source, flags; `BUFFER` bytes; `VIEW` which, bytes; `BIGINT` hex;
 * `MINUS_ZERO`; `ERROR` which, then key, part, enumerable, ...; `BOXED` primitive.
 */
export const NODE = {
  OBJECT: 0,
  DICTIONARY: 1,
  ARRAY: 2,
  SPARSE: 3,
  MAP: 4,
  SET: 5,
  DATE: 6,
  REGEXP: 7,
  BUFFER: 8,
  VIEW: 9,
  BIGINT: 10,
  MINUS_ZERO: 11,
  ERROR: 12,
  BOXED: 13,
} as const;

const NOT_A_VALUE = "a value that structured clone takes, other than a function or an instance of a class";
const BOXES = ["Boolean", "Number", "String", "BigInt"];
const LEAST_INT64 = -(2n ** 63n);
const MOST_UINT64 = 2n ** 64n - 1n;

/**
 * Writes any value as a list of nodes, the value itself first. A part of a node is a primitive, or `[n]` for the n-th node: so
 * what was one object arrives as one object, and a cycle as a cycle.
 *
 * @throws InvalidArgumentError for what is not a value, naming where it is
 */
export function flatten(input: unknown, walk: ValueWalk): readonly unknown[] {
  const flattening = new Flattening(walk);
  flattening.add(input);
  return flattening.nodes;
}

class Flattening {
  readonly nodes: (readonly unknown[])[] = [];
  readonly #walk: ValueWalk;
  readonly #indexes = new Map<object, number>();
  #holes = 0;

  constructor(walk: ValueWalk) {
    this.#walk = walk;
  }

  /** Gives the number of the node that stands for the value. */
  add(value: unknown): number {
    const index = this.nodes.length;
    if (typeof value === "object" && value !== null) {
      const known = this.#indexes.get(value);
      if (known !== undefined) {
        this.#walk.spend(2);
        return known;
      }
      this.#indexes.set(value, index);
    }
    // Its place is taken before its parts are looked at, because they may refer to it.
    this.nodes.push([]);
    this.nodes[index] = this.#node(value);
    return index;
  }

  #node(value: unknown): readonly unknown[] {
    this.#walk.spend(2);
    if (typeof value === "bigint") return [NODE.BIGINT, this.#hex(value)];
    if (typeof value === "number") return [NODE.MINUS_ZERO];
    if (typeof value !== "object" || value === null) throw this.#walk.refuse(value, NOT_A_VALUE);
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (value instanceof Error || types.isNativeError(value)) return this.#error(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null) return this.#object(NODE.DICTIONARY, value);
    const name = nameOfBuiltIn(prototype);
    if (Array.isArray(value) && name === "Array") return this.#array(value);
    if (types.isMap(value) && name === "Map") return this.#map(value);
    if (types.isSet(value) && name === "Set") return this.#set(value);
    if (types.isDate(value) && name === "Date") return [NODE.DATE, value.getTime()];
    if (types.isRegExp(value) && name === "RegExp") return this.#regexp(value);
    if (types.isArrayBuffer(value) && name === "ArrayBuffer") {
      return [NODE.BUFFER, this.#bytes(value, value, 0, value.byteLength)];
    }
    if (types.isBoxedPrimitive(value) && BOXES.includes(name)) return this.#boxed(value);
    if (name === "Object") return this.#object(NODE.OBJECT, value);
    throw this.#walk.refuse(value, `${NOT_A_VALUE} (this is an instance of ${nameOfClass(prototype)})`);
  }

  /** Writes a part of a node, which stands at `step`. */
  #part(step: Step, value: unknown): unknown {
    this.#walk.at(step);
    switch (typeof value) {
      case "string":
        this.#walk.spendText(value);
        return value;
      case "number":
        this.#walk.spend(1);
        return Object.is(value, -0) ? [this.add(value)] : value;
      case "bigint":
        this.#walk.spend(1);
        return value < LEAST_INT64 || value > MOST_UINT64 ? [this.add(value)] : value;
      case "boolean":
      case "undefined":
        this.#walk.spend(1);
        return value;
      default:
        return value === null ? null : [this.add(value)];
    }
  }

  #object(kind: number, value: object): readonly unknown[] {
    const source = value as Readonly<Record<string, unknown>>;
    const node: unknown[] = [kind];
    this.#walk.enter(value);
    for (const key of Object.keys(source)) {
      this.#walk.at(key);
      this.#walk.spendKey(key);
      node.push(key, this.#part(key, source[key]));
    }
    this.#walk.leave();
    return node;
  }

  #array(array: readonly unknown[]): readonly unknown[] {
    this.#walk.enter(array);
    const dense: unknown[] = [NODE.ARRAY];
    const sparse: unknown[] = [NODE.SPARSE, array.length];
    for (let index = 0; index < array.length; index += 1) {
      if (!Object.hasOwn(array, index)) {
        this.#holes += 1;
        if (this.#holes > MAX_HOLES)
          throw this.#walk.refuse("an array", `arrays of at most ${MAX_HOLES} holes`);
        continue;
      }
      const part = this.#part(index, array[index]);
      dense.push(part);
      sparse.push(index, part);
    }
    this.#walk.leave();
    return dense.length === array.length + 1 ? dense : sparse;
  }

  #map(map: ReadonlyMap<unknown, unknown>): readonly unknown[] {
    const node: unknown[] = [NODE.MAP];
    this.#walk.enter(map);
    let entry = 0;
    for (const [key, value] of map) {
      node.push(this.#part({ label: `key ${entry}` }, key), this.#part({ label: `entry ${entry}` }, value));
      entry += 1;
    }
    this.#walk.leave();
    return node;
  }

  #set(set: ReadonlySet<unknown>): readonly unknown[] {
    const node: unknown[] = [NODE.SET];
    this.#walk.enter(set);
    for (const item of set) node.push(this.#part({ label: `item ${node.length - 1}` }, item));
    this.#walk.leave();
    return node;
  }

  #regexp(regexp: RegExp): readonly unknown[] {
    this.#walk.enter(regexp);
    const source = this.#part("source", regexp.source);
    this.#walk.leave();
    return [NODE.REGEXP, source, regexp.flags];
  }

  #boxed(boxed: object): readonly unknown[] {
    const primitive: unknown = boxed.valueOf();
    if (typeof primitive === "symbol" || typeof primitive === "object")
      throw this.#walk.refuse(boxed, NOT_A_VALUE);
    this.#walk.enter(boxed);
    const part = this.#part({ label: "primitive" }, primitive);
    this.#walk.leave();
    return [NODE.BOXED, part];
  }

  /** Only what the view shows is taken, not the buffer behind it: Buffers share theirs with all kinds of other data. */
  #view(view: ArrayBufferView): readonly unknown[] {
    const name = isBytes(view) ? "Uint8Array" : nameOfBuiltIn(Object.getPrototypeOf(view));
    const which = VIEWS.findIndex((type) => type.name === name);
    if (which < 0) throw this.#walk.refuse(view, NOT_A_VALUE);
    return [NODE.VIEW, which, this.#bytes(view, view.buffer, view.byteOffset, view.byteLength)];
  }

  #bytes(value: unknown, buffer: ArrayBufferLike, start: number, length: number): Uint8Array {
    this.#walk.spend(length);
    try {
      return new Uint8Array(buffer, start, length);
    } catch {
      throw this.#walk.refuse(value, "a buffer that is not detached");
    }
  }

  #hex(value: bigint): string {
    const hex = value.toString(16);
    this.#walk.spend(hex.length);
    return hex;
  }

  /**
   * Errors are the one kind whose subclasses are taken: they arrive as the built-in error that they extend, under the name they
   * had, with their own properties as far as those are primitives. A text of theirs that has no UTF-8 form is mended: what
   * went wrong must be tellable.
   */
  #error(error: Error): readonly unknown[] {
    const node: unknown[] = [NODE.ERROR, whichError(error)];
    const put = (key: string, value: unknown, enumerable: boolean) => {
      const part = typeof value === "string" ? value.toWellFormed() : value;
      this.#walk.spendKey(key);
      node.push(key, this.#part(key, part), enumerable);
    };
    const own = new Set(
      Object.keys(error).filter((key) => key.isWellFormed() && isPlainPart(error[key as keyof Error])),
    );
    this.#walk.enter(error);
    if (!own.has("name")) put("name", String(error.name), false);
    if (!own.has("message")) put("message", String(error.message), false);
    if (!own.has("stack")) put("stack", String(error.stack), false);
    for (const key of ["cause", "errors"]) {
      if (Object.hasOwn(error, key) && !own.has(key)) put(key, error[key as keyof Error], false);
    }
    for (const key of own) put(key, error[key as keyof Error], true);
    this.#walk.leave();
    return node;
  }
}

function isPlainPart(value: unknown): boolean {
  return (
    value === null || (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol")
  );
}

/** The nearest built-in error that it extends. */
function whichError(error: Error): number {
  for (
    let at: unknown = Object.getPrototypeOf(error);
    typeof at === "object" && at !== null;
    at = Object.getPrototypeOf(at)
  ) {
    const name = nameOfBuiltIn(at);
    const which = ERRORS.findIndex((type) => type.name === name);
    if (which >= 0) return which;
  }
  return 0;
}

function nameOfClass(prototype: unknown): string {
  const maker: unknown = (prototype as { readonly constructor?: unknown }).constructor;
  return typeof maker === "function" && maker.name !== "" ? maker.name : "a class without a name";
}
