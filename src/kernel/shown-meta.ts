import { inspect } from "node:util";
import { MalformedError } from "./malformed.ts";
import type { Value } from "./value.ts";

/**
 * Lets users read metadata as the property `meta` of an object. One object may be given to many of them, as an event is to all
 * who watch; so what they could change there is decoded anew at each access. Other metadata is a property like any other.
 *
 * Bytes of a peer that are no value are found out only here. They show as undefined, for they must not keep anyone from
 * reading the rest.
 */
export function showMeta<T extends { readonly meta: unknown }>(holder: T, meta: Value): T {
  try {
    if (meta.isShared) {
      (holder as { meta: unknown }).meta = meta.get();
      return holder;
    }
  } catch (error) {
    if (error instanceof MalformedError) return holder;
    throw error;
  }
  Object.defineProperty(holder, "meta", { get: () => meta.get(), enumerable: true, configurable: true });
  // Printed like any property, and not as "[Getter]".
  Object.defineProperty(holder, inspect.custom, { value: () => ({ ...holder }), configurable: true });
  return holder;
}
