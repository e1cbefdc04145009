import { expect, test } from "vitest";
import { defineMessages, type MessageOf } from "../../../src/bus/wire-schema.ts";
import { memberDrop, memberPut } from "../../../src/groups/group-ops.ts";
import { MalformedError } from "../../../src/kernel/malformed.ts";
import { pack } from "../../../src/kernel/msgpack.ts";
import { Value } from "../../../src/kernel/value.ts";
import { metaOf } from "./meta.ts";

const operations = defineMessages({ memberPut: [1, memberPut], memberDrop: [2, memberDrop] });

test.each<MessageOf<typeof operations>>([
  { kind: "memberPut", group: "g", serial: 1, meta: Value.undefined, joins: 1 },
  {
    kind: "memberPut",
    group: "__proto__",
    serial: Number.MAX_SAFE_INTEGER,
    meta: metaOf({ a: [1] }),
    joins: 70_000,
  },
  { kind: "memberDrop", group: "💥", serial: 36 },
])("an operation arrives as it was sent: %j", (operation) => {
  const [read] = operations.decodeAll(operations.encode(operation));
  expect({ ...read, meta: undefined }).toStrictEqual({ ...operation, meta: undefined });
  if (operation.kind === "memberPut" && read?.kind === "memberPut")
    expect(read.meta.equals(operation.meta)).toBe(true);
});

const meta = metaOf("m").bytes;

test.each([
  ["no joins", [1, "g", 1, meta, 0]],
  ["a serial of 0", [1, "g", 0, meta, 1]],
  ["a serial below 0", [2, "g", -1]],
  ["a serial that is no whole number", [2, "g", 1.5]],
  ["an empty group", [2, "", 1]],
  ["metadata that is not bytes", [1, "g", 1, "m", 1]],
  ["too little", [1, "g", 1]],
])("an operation with %s is refused", (_title, wire) => {
  expect(() => operations.decodeAll(pack(wire))).toThrow(MalformedError);
});
