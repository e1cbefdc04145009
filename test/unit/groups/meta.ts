import { Value } from "../../../src/kernel/value.ts";

export function metaOf(meta: unknown): Value {
  return Value.encode(meta, { name: "metadataBytes", bytes: 8_192 }, "meta");
}
