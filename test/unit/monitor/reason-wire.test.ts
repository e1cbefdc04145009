import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defineMessages } from "../../../src/bus/wire-schema.ts";
import type { ExitReason, NodeDownCause } from "../../../src/kernel/exit-reason.ts";
import { makeNodeId, makePid } from "../../../src/kernel/ids.ts";
import { MalformedError } from "../../../src/kernel/malformed.ts";
import { pack, unpack } from "../../../src/kernel/msgpack.ts";
import { monitorMessages } from "../../../src/monitor/monitor-protocol.ts";
import { membershipMessages } from "../../../src/monitor/protocol.ts";
import { exitReason } from "../../../src/monitor/reason-wire.ts";

const node = makeNodeId("n1", "0".repeat(17));
const pid = makePid(node, 7);

function carried(reason: ExitReason): ExitReason {
  return exitReason.read(unpack(pack(exitReason.write(reason))));
}

function carriedError(error: unknown): unknown {
  const reason = carried({ kind: "error", error });
  return reason.kind === "error" ? reason.error : undefined;
}

describe("a reason between nodes", () => {
  test("arrives as it was", () => {
    const causes: NodeDownCause[] = ["left", "disconnected", "silent", "replaced"];
    const reasons: ExitReason[] = [
      { kind: "normal" },
      { kind: "killed" },
      { kind: "shutdown" },
      { kind: "nameClash", name: "a.b", winner: pid },
      { kind: "nameClash", name: "__proto__", winner: undefined },
      { kind: "leaseLost", name: "ü" },
      { kind: "noSuchProcess" },
      ...causes.map((cause): ExitReason => ({ kind: "nodeDown", node, cause })),
    ];
    for (const reason of reasons) expect(carried(reason)).toEqual(reason);
  });

  test("an error arrives as one of its name, message and code", () => {
    class PaymentError extends Error {
      override readonly name = "PaymentError";
      readonly code = "NO_MONEY";
    }
    const arrived = carriedError(new PaymentError("no money"));
    expect(arrived).toBeInstanceOf(Error);
    expect(arrived).toMatchObject({ name: "PaymentError", message: "no money", code: "NO_MONEY" });
    expect(String((arrived as Error).stack)).not.toContain("reason-wire");
    expect(carriedError(new TypeError(""))).toMatchObject({ name: "TypeError", message: "" });
    expect(carriedError(new Error("plain"))).not.toHaveProperty("code");
  });

  test("what is thrown and no error arrives as a value, or as what it looked like", () => {
    expect(carriedError("boom")).toBe("boom");
    expect(carriedError({ status: 7 })).toEqual({ status: 7 });
    expect(carriedError(undefined)).toBe(undefined);
    expect(carriedError(() => 1)).toMatchObject({ message: "a function" });
    expect((carriedError("x".repeat(100_000)) as Error).message.length).toBeLessThan(100);
  });

  test("nothing that is thrown makes it throw, and it stays small", () => {
    const hostile = new Error("x");
    Object.defineProperty(hostile, "message", {
      get() {
        throw new Error("no");
      },
    });
    const long = new Error("ü".repeat(50_000));
    long.name = "N".repeat(1_000);
    const odd = [
      hostile,
      long,
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error("no");
          },
        },
      ),
      Object.create(null),
    ];
    for (const error of odd) {
      carriedError(error);
      expect(pack(exitReason.write({ kind: "error", error })).length).toBeLessThan(8_192);
    }
    fc.assert(
      fc.property(fc.anything(), (error) => {
        carriedError(error);
      }),
    );
  });

  test("bytes that are none are refused", () => {
    for (const wire of [null, [], [99], [6, node, 4], [6, node, -1], [2, ["", "", null, 5]], [5], "normal"]) {
      expect(() => exitReason.read(wire)).toThrow(MalformedError);
    }
  });
});

test("every message survives the wire", () => {
  const table = defineMessages({ ...membershipMessages, ...monitorMessages });
  const messages = [
    {
      kind: "hello",
      nonce: 3,
      echo: 0,
      wantReply: true,
      minVersion: 1,
      maxVersion: 2,
      serverId: "",
      replaces: true,
      scopes: ["default", "ä b"],
      anew: false,
      scopesRevision: 4,
      beatMs: 1_000,
    },
    { kind: "goodbye" },
    { kind: "rumour", about: node, silent: true },
    { kind: "pulse", beatMs: 1_000, scopesRevision: 0 },
    { kind: "scopesChanged", revision: 1, scopes: [] },
    { kind: "duplicate", echo: 1 },
    { kind: "nodeNameAsk" },
    { kind: "nodeNameHeld" },
    { kind: "watch", serials: [1, 2] },
    { kind: "unwatch", serials: [] },
    { kind: "exited", first: 1, ends: [{ serial: 1, reason: { kind: "normal" } }] },
    { kind: "watchCheck", count: 1, hash: 0xffff_ffff, seen: 0 },
    { kind: "watchResync" },
    { kind: "watchAll", index: 0, last: true, serials: [9] },
  ] as const;
  for (const message of messages) expect(table.decodeAll(table.encode(message))).toEqual([message]);
});
