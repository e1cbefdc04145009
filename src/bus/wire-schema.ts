import { invariant, RollcallError } from "../kernel/errors.ts";
import { isNodeId, isPid, type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import { MalformedError } from "../kernel/malformed.ts";
import { pack, unpackAll } from "../kernel/msgpack.ts";
import { quote } from "../kernel/quote.ts";
import { isText, NAME_BYTES } from "../kernel/text.ts";

/** How one part of a message looks on the wire, both ways. */
export interface Field<T> {
  /** @throws MalformedError when the value is not what it should be, and nothing else */
  read(value: unknown): T;
  write(value: T): unknown;
}

/** The type that a field, a tuple or a union reads and writes. */
export type TypeOf<F> = F extends Field<infer T> ? T : never;

/** The parts of a tuple, in the order in which they stand on the wire. New parts go last, and are optional. */
export type Shape = Readonly<Record<string, Field<unknown>>>;

export type RecordOf<S extends Shape> = { readonly [K in keyof S]: TypeOf<S[K]> };

/** Kind → the code that stands for it on the wire, never used for anything else, and what follows the code. */
export type Variants = Readonly<Record<string, readonly [code: number, shape: Shape]>>;

export type UnionOf<V extends Variants> = {
  [K in keyof V & string]: { readonly kind: K } & RecordOf<V[K][1]>;
}[keyof V & string];

/** A safe whole number from 0. */
export const nat: Field<number> = {
  read(value) {
    if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) return value;
    throw unexpected(value, "a whole number from 0 to 2^53 - 1");
  },
  write: asIs,
};

export const flag: Field<boolean> = {
  read(value) {
    if (typeof value === "boolean") return value;
    throw unexpected(value, "true or false");
  },
  write: asIs,
};

/** Any number, NaN and the infinities included. -0 arrives as 0. */
export const float: Field<number> = {
  read(value) {
    if (typeof value === "number") return value;
    throw unexpected(value, "a number");
  },
  write: asIs,
};

/** A name, group or scope: 1 to 512 bytes of well-formed Unicode. */
export const text: Field<string> = {
  read(value) {
    if (isText(value)) return value;
    throw unexpected(value, `a text of 1 to ${NAME_BYTES} bytes`);
  },
  write: asIs,
};

const SHORT_TEXT_BYTES = 64;

/** A code or a version, not something that a user named: 1 to 64 bytes. */
export const shortText: Field<string> = {
  read(value) {
    if (isText(value, SHORT_TEXT_BYTES)) return value;
    throw unexpected(value, `a text of 1 to ${SHORT_TEXT_BYTES} bytes`);
  },
  write: asIs,
};

/** Read as a view of the frame: copy what outlives it. */
export const bytes: Field<Uint8Array> = {
  read(value) {
    if (value instanceof Uint8Array) return value;
    throw unexpected(value, "bytes");
  },
  write: asIs,
};

export const nodeId: Field<NodeId> = {
  read(value) {
    if (isNodeId(value)) return value;
    throw unexpected(value, "a node id");
  },
  write: asIs,
};

/** The pids of a frame are mostly of one node, so its id is looked at once: a tenth of the work of checking each. */
let nodeOfLastPid = "/";

export const pid: Field<Pid> = {
  read(value) {
    if (
      typeof value === "string" &&
      value.startsWith(nodeOfLastPid) &&
      isSerialFrom(value, nodeOfLastPid.length)
    )
      return value as Pid;
    if (!isPid(value)) throw unexpected(value, "a pid");
    nodeOfLastPid = `${nodeOfPid(value)}/`;
    return value;
  },
  write: asIs,
};

/** 1 to 11 digits of base 36, no zero in front: what `isPid` asks for behind the slash. */
function isSerialFrom(value: string, start: number): boolean {
  const digits = value.length - start;
  if (digits < 1 || digits > 11 || value.charCodeAt(start) === 0x30) return false;
  for (let index = start; index < value.length; index += 1) {
    const unit = value.charCodeAt(index);
    if (unit < 0x30 || unit > 0x7a || (unit > 0x39 && unit < 0x61)) return false;
  }
  return true;
}

function asIs(value: unknown): unknown {
  return value;
}

function unexpected(value: unknown, expected: string): MalformedError {
  return new MalformedError(`${quote(value)} instead of ${expected}`);
}

/** Nil, or nothing at the end of a tuple, stands for undefined. */
export function optional<T>(inner: Field<T>): Field<T | undefined> {
  return {
    read: (value) => (value === null || value === undefined ? undefined : inner.read(value)),
    write: (value) => (value === undefined ? null : inner.write(value)),
  };
}

/** @param max the most that is read; the writer must not exceed it either, and splits what might */
export function list<T>(inner: Field<T>, max: number): Field<readonly T[]> {
  return {
    read(value) {
      if (!Array.isArray(value)) throw new MalformedError(`${quote(value)} instead of a list`);
      if (value.length > max)
        throw new MalformedError(`a list of ${value.length}, where ${max} are the most`);
      const items: T[] = [];
      for (let index = 0; index < value.length; index += 1) items.push(inner.read(value[index]));
      return items;
    },
    write(items) {
      invariant(items.length <= max, `a list on the wire has at most ${max} items, not ${items.length}`);
      const written: unknown[] = [];
      for (let index = 0; index < items.length; index += 1) written.push(inner.write(items[index] as T));
      return written;
    },
  };
}

/**
 * A record, as an array of its parts in the order declared. Parts that a newer version put behind them are ignored; optional
 * parts that an older one lacks read as undefined.
 */
export function tuple<const S extends Shape>(shape: S): Field<RecordOf<S>> {
  const layout = layOut(shape, 0);
  return {
    read(value) {
      if (!Array.isArray(value)) throw new MalformedError(`${quote(value)} instead of a tuple`);
      return readParts(layout, value) as RecordOf<S>;
    },
    write: (record) => writeParts(layout, record, []),
  };
}

/** One of several tuples, told apart by a code in front. */
export function oneOf<const V extends Variants>(variants: V): Field<UnionOf<V>> {
  const { byCode, byKind } = indexVariants(variants);
  return {
    read(value) {
      const layout = byCode.get(codeOf(value));
      if (layout === undefined) throw new MalformedError(`the unknown code ${quote(codeOf(value))}`);
      return readParts(layout, value as unknown[]) as UnionOf<V>;
    },
    write: (record) => writeVariant(byKind, record as Tagged),
  };
}

/** A message table: what a frame body, messages one after another, can hold. */
export interface Messages<M> {
  encode(message: M): Uint8Array;
  /**
   * Reads a frame body. A message of an unknown code, from a newer version, is left out and reported.
   *
   * @throws MalformedError and nothing else, whatever the bytes
   */
  decodeAll(body: Uint8Array, onUnknown?: (code: number) => void): M[];
}

export function defineMessages<const V extends Variants>(table: V): Messages<UnionOf<V>> {
  const { byCode, byKind } = indexVariants(table);
  return {
    encode: (message) => pack(writeVariant(byKind, message as Tagged)),
    decodeAll(body, onUnknown) {
      const messages: UnionOf<V>[] = [];
      for (const value of unpackAll(body)) {
        const code = codeOf(value);
        const layout = byCode.get(code);
        if (layout === undefined) onUnknown?.(code);
        else messages.push(readParts(layout, value as unknown[]) as UnionOf<V>);
      }
      return messages;
    },
  };
}

/** What a message table reads and writes. */
export type MessageOf<T> = T extends Messages<infer M> ? M : never;

type Tagged = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** A tuple, taken apart once so that reading and writing need no look at the shape. */
interface Layout {
  readonly keys: readonly string[];
  readonly fields: readonly Field<unknown>[];
  /** 1 behind a code, else 0. */
  readonly offset: number;
  readonly kind: string | undefined;
  readonly code: number;
  readonly Record: new () => Record<string, unknown>;
}

function layOut(shape: Shape, offset: number, kind?: string, code = 0): Layout {
  const keys = Object.keys(shape);
  for (const key of keys)
    invariant(
      !/^\d/.test(key) && key !== "kind" && key !== "__proto__",
      `${quote(key)} cannot name a part of a tuple`,
    );
  return {
    keys,
    fields: keys.map((key) => shape[key] as Field<unknown>),
    offset,
    kind,
    code,
    Record: plainObjects(),
  };
}

/**
 * A constructor of plain objects, one for each layout: the engine then learns how much room the records of that layout need,
 * which makes filling them a fifth faster than filling `{}`.
 */
function plainObjects(): new () => Record<string, unknown> {
  function PlainObject(): void {}
  PlainObject.prototype = Object.prototype;
  return PlainObject as unknown as new () => Record<string, unknown>;
}

function readParts(layout: Layout, values: readonly unknown[]): Record<string, unknown> {
  const { keys, fields, offset } = layout;
  const record = new layout.Record();
  if (layout.kind !== undefined) record["kind"] = layout.kind;
  let index = 0;
  try {
    for (; index < keys.length; index += 1) {
      record[keys[index] as string] = (fields[index] as Field<unknown>).read(values[index + offset]);
    }
  } catch (error) {
    throw new MalformedError(
      `${layout.kind ?? "a tuple"}, ${keys[index]}: ${error instanceof RollcallError ? error.message : ""}`,
      { cause: error },
    );
  }
  return record;
}

function writeParts(
  layout: Layout,
  record: Readonly<Record<string, unknown>>,
  written: unknown[],
): unknown[] {
  const { keys, fields } = layout;
  for (let index = 0; index < keys.length; index += 1) {
    written.push((fields[index] as Field<unknown>).write(record[keys[index] as string]));
  }
  return written;
}

function writeVariant(byKind: ReadonlyMap<string, Layout>, record: Tagged): unknown[] {
  const layout = byKind.get(record.kind);
  invariant(layout !== undefined, `${quote(record.kind)} is a kind of the message table`);
  return writeParts(layout, record, [layout.code]);
}

function codeOf(value: unknown): number {
  const code: unknown = Array.isArray(value) ? value[0] : undefined;
  if (typeof code === "number") return code;
  throw new MalformedError(`${quote(value)} instead of a tuple with a code in front`);
}

function indexVariants(variants: Variants): {
  byCode: ReadonlyMap<number, Layout>;
  byKind: ReadonlyMap<string, Layout>;
} {
  const byCode = new Map<number, Layout>();
  const byKind = new Map<string, Layout>();
  for (const [kind, [code, shape]] of Object.entries(variants)) {
    invariant(!byCode.has(code), `the code ${code} stands for one kind`);
    const layout = layOut(shape, 1, kind, code);
    byCode.set(code, layout);
    byKind.set(kind, layout);
  }
  return { byCode, byKind };
}
