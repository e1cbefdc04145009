import { MalformedError } from "./malformed.ts";
import { ERRORS, VIEWS } from "./value-builtins.ts";
import { NODE } from "./value-graph.ts";
import { MAX_DEPTH, MAX_HOLES } from "./value-walk.ts";

export interface Rebuilt {
  value: unknown;
  /** Whether it is read-only through and through. Of what JavaScript has, plain objects and arrays can be made so. */
  frozen: boolean;
  /**
   * Whether comparing it with another takes no longer than reading it. An object met twice is compared twice, and so on below
   * it: thirty such levels are a thousand million comparisons. Objects in sets are compared each with each.
   */
  comparable: boolean;
}

/**
 * Reads what `flatten` wrote. Plain objects and arrays are frozen.
 *
 * @throws MalformedError and nothing else, whatever the nodes
 */
export function rebuild(nodes: unknown): Rebuilt {
  if (!Array.isArray(nodes)) throw new MalformedError("a graph without nodes");
  const rebuilding = new Rebuilding(nodes);
  try {
    const value = rebuilding.node(0, 0);
    return { value, frozen: rebuilding.frozen, comparable: rebuilding.comparable };
  } catch (error) {
    if (error instanceof MalformedError) throw error;
    // A regular expression or a typed array that the language itself refuses.
    throw new MalformedError("a part of a value that cannot be", { cause: error });
  }
}

class Rebuilding {
  comparable = true;
  frozen = true;
  readonly #nodes: readonly unknown[];
  readonly #built = new Map<number, unknown>();
  #holes = 0;

  constructor(nodes: readonly unknown[]) {
    this.#nodes = nodes;
  }

  node(index: number, depth: number): unknown {
    if (this.#built.has(index)) {
      this.comparable = false;
      return this.#built.get(index);
    }
    if (depth > MAX_DEPTH) throw new MalformedError(`a value nested more than ${MAX_DEPTH} deep`);
    const node = this.#nodes[index];
    if (!Array.isArray(node)) throw new MalformedError(`no node ${index}`);
    switch (node[0]) {
      case NODE.OBJECT:
        return Object.freeze(this.#fill(this.#keep(index, {}), node, depth));
      case NODE.DICTIONARY:
        return Object.freeze(this.#fill(this.#keep(index, Object.create(null) as object), node, depth));
      case NODE.ARRAY:
        return Object.freeze(this.#array(this.#keep(index, []), node, depth));
      case NODE.SPARSE:
        return Object.freeze(this.#sparse(this.#keep(index, []), node, depth));
      case NODE.BIGINT:
      case NODE.MINUS_ZERO:
        return this.#keep(index, leaf(node));
      default:
        this.frozen = false;
        return this.#changeable(index, node, depth);
    }
  }

  /** What no reader can be kept from changing. */
  #changeable(index: number, node: readonly unknown[], depth: number): unknown {
    switch (node[0]) {
      case NODE.MAP:
        return this.#map(this.#keep(index, new Map()), node, depth);
      case NODE.SET:
        return this.#set(this.#keep(index, new Set()), node, depth);
      case NODE.ERROR:
        return this.#error(index, node, depth);
      case NODE.BOXED:
        return this.#keep(index, Object(this.#primitive(node[1], depth)) as object);
      default:
        return this.#keep(index, leaf(node));
    }
  }

  /** Known before its parts are read, because they may refer to it. */
  #keep<T>(index: number, value: T): T {
    this.#built.set(index, value);
    return value;
  }

  #part(part: unknown, depth: number): unknown {
    if (typeof part !== "object" || part === null) return part;
    if (Array.isArray(part) && part.length === 1 && typeof part[0] === "number")
      return this.node(part[0], depth + 1);
    throw new MalformedError("a part that is neither a primitive nor a node");
  }

  #primitive(part: unknown, depth: number): unknown {
    const value = this.#part(part, depth);
    if (value === null || value === undefined || typeof value === "object")
      throw new MalformedError("a box around nothing");
    return value;
  }

  #fill(object: object, node: readonly unknown[], depth: number): object {
    for (let index = 1; index < node.length; index += 2) {
      put(object, keyOf(node[index]), this.#part(node[index + 1], depth), true);
    }
    return object;
  }

  #array(array: unknown[], node: readonly unknown[], depth: number): unknown[] {
    for (let index = 1; index < node.length; index += 1) array.push(this.#part(node[index], depth));
    return array;
  }

  #sparse(array: unknown[], node: readonly unknown[], depth: number): unknown[] {
    const length: unknown = node[1];
    const items = (node.length - 2) / 2;
    if (!isIndex(length) || !Number.isInteger(items) || items > length)
      throw new MalformedError("a wrong length of an array");
    this.#holes += length - items;
    if (this.#holes > MAX_HOLES) throw new MalformedError(`arrays of more than ${MAX_HOLES} holes`);
    for (let at = 2; at < node.length; at += 2) {
      const index: unknown = node[at];
      if (!isIndex(index) || index >= length || index < array.length)
        throw new MalformedError("a wrong index of an array");
      array[index] = this.#part(node[at + 1], depth);
    }
    array.length = length;
    return array;
  }

  #map(map: Map<unknown, unknown>, node: readonly unknown[], depth: number): Map<unknown, unknown> {
    for (let index = 1; index < node.length; index += 2) {
      map.set(this.#member(node[index], depth), this.#part(node[index + 1], depth));
    }
    return map;
  }

  #set(set: Set<unknown>, node: readonly unknown[], depth: number): Set<unknown> {
    for (let index = 1; index < node.length; index += 1) set.add(this.#member(node[index], depth));
    return set;
  }

  #member(part: unknown, depth: number): unknown {
    const member = this.#part(part, depth);
    if (typeof member === "object" && member !== null) this.comparable = false;
    return member;
  }

  #error(index: number, node: readonly unknown[], depth: number): Error {
    const type = ERRORS[node[1] as number];
    if (type === undefined) throw new MalformedError("an unknown kind of error");
    const error = this.#keep(index, withoutStack(type));
    for (let at = 2; at < node.length; at += 3) {
      const key = keyOf(node[at]);
      const value = this.#part(node[at + 1], depth);
      // An own name that says what the prototype says would only show that the error came over the wire.
      if (key === "name" && node[at + 2] !== true && value === error.name) continue;
      put(error, key, value, node[at + 2] === true);
    }
    return error;
  }
}

/** The stack of this place would say nothing about the error, and costs a kilobyte, where the error may take three bytes. */
function withoutStack(type: (typeof ERRORS)[number]): Error {
  const limit = Error.stackTraceLimit;
  Reflect.set(Error, "stackTraceLimit", 0);
  try {
    return type === AggregateError ? new AggregateError([]) : new (type as ErrorConstructor)();
  } finally {
    Reflect.set(Error, "stackTraceLimit", limit);
  }
}

/** Assigning to `__proto__` would give the object another prototype: what an attacker wants, and a sender never meant. */
function put(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, configurable: true, writable: true });
}

function leaf(node: readonly unknown[]): unknown {
  const [kind, first, second] = node;
  switch (kind) {
    case NODE.DATE:
      if (typeof first === "number") return new Date(first);
      break;
    case NODE.REGEXP:
      if (typeof first === "string" && typeof second === "string") return new RegExp(first, second);
      break;
    case NODE.BUFFER:
      if (first instanceof Uint8Array) return copyOf(first);
      break;
    case NODE.VIEW: {
      const type = VIEWS[first as number];
      if (type !== undefined && second instanceof Uint8Array)
        return new (type as new (buffer: ArrayBuffer) => ArrayBufferView)(copyOf(second));
      break;
    }
    case NODE.BIGINT:
      if (typeof first === "string" && /^-?[0-9a-f]+$/.test(first)) return fromHex(first);
      break;
    case NODE.MINUS_ZERO:
      return -0;
  }
  throw new MalformedError("a node of an unknown kind, or without what it needs");
}

function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function fromHex(hex: string): bigint {
  return hex.startsWith("-") ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}

function keyOf(key: unknown): string {
  if (typeof key === "string") return key;
  throw new MalformedError("a key that is not text");
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
}
