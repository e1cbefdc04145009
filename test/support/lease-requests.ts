import fc from "fast-check";
import { type LeaseReply, type LeaseRequest, makeSessionId } from "../../src/lease/requests.ts";

export const OWNERS = ["a", "b", "c"] as const;

const session = fc.constantFrom(...OWNERS).map((owner) => makeSessionId(owner, 1));
const connection = fc.constantFrom(1, 1, 1, 2);
const name = fc.constantFrom("x", "y");
const claim = fc.constantFrom(1, 2);
const value = fc.uint8Array({ maxLength: 3 });
const token = fc.integer({ min: 1, max: 60 });
const ticket = fc.constantFrom(undefined, 0, 0, 1, 2, 5);
const few = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });
const acquireItem = fc.record({ name, claim, proposal: token, value, ticket });
const confirmItem = fc.record({ name, claim, token, value });
const releaseItem = fc.record({ name, claim, leave: fc.boolean() });

/** Anything that may be asked once the sessions of all owners are open; nothing that ends one. */
export const leaseRequest: fc.Arbitrary<LeaseRequest> = fc.oneof(
  fc.record({ kind: fc.constant("status" as const) }),
  fc.record({ kind: fc.constantFrom("open" as const, "renew" as const), session, connection }),
  fc.record({ kind: fc.constant("read" as const), names: few(name) }),
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("acquire" as const),
      session,
      connection,
      items: few(acquireItem),
    }),
  },
  fc.record({ kind: fc.constant("confirm" as const), session, connection, items: few(confirmItem) }),
  fc.record({ kind: fc.constant("attach" as const), session, connection, items: few(confirmItem) }),
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("release" as const),
      session,
      connection,
      items: few(releaseItem),
    }),
  },
);

/** Without what says how late it is. */
export function timeless(reply: LeaseReply | undefined): unknown {
  const text = JSON.stringify(reply, (key, each: unknown) =>
    key === "leftMs" || key === "serverMs" ? "(time)" : each instanceof Uint8Array ? [...each] : each,
  );
  return text === undefined ? undefined : JSON.parse(text);
}
