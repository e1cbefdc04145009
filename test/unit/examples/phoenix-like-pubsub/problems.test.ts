import { expect, test } from "vitest";
import { lossOf, type Plan, problemOf } from "../../../../examples/phoenix-like-pubsub/problems.ts";
import {
  BusClosedError,
  DuplicateNodeError,
  InvalidArgumentError,
  type NodeId,
  UnauthorizedError,
} from "../../../../src/index.ts";

const PLAN: Plan = {
  ...{ name: "talk-2", cluster: "talk", host: "10.9.8.7", port: 4301, busPort: 4229, natsUrl: undefined },
};
const ON_NATS: Plan = { ...PLAN, natsUrl: "nats://127.0.0.1:4222" };

function failed(code: string): Error {
  return Object.assign(new Error("listen"), { code });
}

test.each<[unknown, Plan, string]>([
  [failed("EADDRINUSE"), PLAN, "port 4301 is taken: give others with --port"],
  [failed("EACCES"), PLAN, "port 4301 is not for everybody: give others with --port, above 1023"],
  [
    failed("EADDRNOTAVAIL"),
    PLAN,
    "10.9.8.7 is not this machine: --host takes an address or a name that it has",
  ],
  [
    new BusClosedError(
      "port 4229 is not the embedded bus's: another program listens there; embeddedBus({ port }) takes another port",
    ),
    PLAN,
    "port 4229 is not the embedded bus's: another program listens there: give another with --bus-port",
  ],
  [
    new BusClosedError("cannot reach NATS at x"),
    ON_NATS,
    "cannot reach NATS at x. NATS_URL says where; without it no server is needed",
  ],
  [
    new UnauthorizedError("NATS refuses these credentials"),
    ON_NATS,
    "talk-2 could not start: NATS refuses these credentials",
  ],
  [
    new DuplicateNodeError("talk-2.1" as NodeId),
    ON_NATS,
    "talk-2 is in the cluster talk already: end it, or take a cluster of your own with --cluster",
  ],
])("%s is told in one line, with what to do", (error, plan, line) => {
  expect(problemOf(error, plan)).toBe(line);
});

test("an address that is none is told as what it is: NATS_URL", () => {
  expect(problemOf(new InvalidArgumentError("servers", "x y", "addresses"), ON_NATS)).toMatch(/^NATS_URL: /);
});

test("what nobody can mend by an option is left as it is", () => {
  for (const error of [new TypeError("x"), failed("EMFILE"), undefined, "text"])
    expect(problemOf(error, PLAN)).toBeUndefined();
});

test("a node that was closed while it ran is told in one line", () => {
  const error = new DuplicateNodeError("talk-2.1" as NodeId);
  expect(lossOf({ kind: "duplicateNode", error }, PLAN)).toBe(
    "talk-2 ends: another talk-2 is in the cluster talk",
  );
  const refused = new UnauthorizedError("NATS refuses these credentials");
  expect(lossOf({ kind: "unauthorized", error: refused }, ON_NATS)).toBe(
    "talk-2 ends: NATS refuses these credentials",
  );
});
