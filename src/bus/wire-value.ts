import { isStamp, type Stamp } from "../kernel/hlc.ts";
import { MalformedError } from "../kernel/malformed.ts";
import { quote } from "../kernel/quote.ts";
import { Value } from "../kernel/value.ts";
import { bytes, type Field } from "./wire-schema.ts";

/** A user's value. Copied on the way in: it is kept for longer than the frame it came in. */
export const value: Field<Value> = {
  read: (wire) => Value.fromBytes(bytes.read(wire).slice()),
  write: (held) => held.bytes,
};

/** A reading of a hybrid logical clock. */
export const stamp: Field<Stamp> = {
  read(wire) {
    if (isStamp(wire)) return wire;
    throw new MalformedError(`${quote(wire)} instead of a stamp`);
  },
  write: (held) => held,
};
