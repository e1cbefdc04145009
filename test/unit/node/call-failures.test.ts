import { describe, expect, test } from "vitest";
import { CallFailedError } from "../../../src/kernel/errors.ts";
import { MalformedError } from "../../../src/kernel/malformed.ts";
import { userMessages } from "../../../src/node/message-wire.ts";
import { traced, traceOf } from "../../../src/node/trace-wire.ts";
import { Shells } from "../../support/shells.ts";

class PaymentError extends Error {
  override readonly name = "PaymentError";
  readonly code = "NO_MONEY";
}

function failDeepInside(): never {
  try {
    throw Object.assign(new RangeError("the disk is full"), { code: "ENOSPC", cause: { free: 0 } });
  } catch (cause) {
    throw new PaymentError("no money", { cause });
  }
}

/** Longer than a chain of causes is followed. */
function chained(): never {
  let error = new Error("cause 9");
  for (let depth = 8; depth >= 0; depth -= 1) error = new Error(`cause ${depth}`, { cause: error });
  throw error;
}

function circular(): never {
  const error = new Error("round");
  error.cause = error;
  throw error;
}

function hostile(): never {
  throw Object.defineProperties(new Error("shy"), {
    stack: {
      get() {
        throw new Error("no stack");
      },
    },
    cause: {
      get() {
        throw new Error("no cause");
      },
    },
  });
}

const failures: Readonly<Record<string, () => never>> = {
  failDeepInside,
  chained,
  circular,
  hostile,
  long: () => {
    throw Object.assign(new Error("long"), { stack: "s".repeat(100_000), cause: "c".repeat(100_000) });
  },
  bare: () => {
    throw { status: 7 };
  },
};

/** What a caller is told by a callee beside it, and by one elsewhere. */
async function causesOf(failure: string): Promise<readonly unknown[]> {
  const shells = new Shells("call failures");
  const nodes = await shells.startAll("a", "b");
  const causes: unknown[] = [];
  for (const node of nodes) {
    const callee = node.spawn((name) => failures[name as string]?.());
    const error = await shells.until(nodes[0].call(callee, failure).catch((thrown: unknown) => thrown));
    expect(error).toBeInstanceOf(CallFailedError);
    causes.push((error as CallFailedError).cause);
  }
  return causes;
}

describe("the cause of a failed call, near and far,", () => {
  test("tells where the handler threw, and what lay behind it", async () => {
    for (const cause of await causesOf("failDeepInside")) {
      expect(cause).toBeInstanceOf(Error);
      expect(cause).not.toBeInstanceOf(PaymentError);
      const error = cause as PaymentError;
      expect(error).toMatchObject({ name: "PaymentError", message: "no money", code: "NO_MONEY" });
      expect(error.stack).toMatch(/^PaymentError: no money\n|^Error: no money\n/);
      expect(error.stack).toContain("failDeepInside");
      expect(error.stack).not.toContain("trace-wire");
      const inner = error.cause as Error;
      expect(inner).toMatchObject({ name: "RangeError", message: "the disk is full", code: "ENOSPC" });
      expect(inner.stack).toContain("call-failures.test");
      expect(inner.cause).toEqual({ free: 0 });
      expect(Object.keys(error)).toEqual(["code"]);
    }
  });

  test("is cut short where it is long, deep or goes round", async () => {
    const depthOf = (error: unknown): number =>
      error instanceof Error && error.cause !== undefined ? 1 + depthOf(error.cause) : 0;
    for (const cause of await causesOf("chained")) expect(depthOf(cause)).toBe(4);
    for (const cause of await causesOf("circular")) expect(depthOf(cause)).toBe(4);
    for (const cause of await causesOf("long")) {
      expect((cause as Error).stack).toBe("s".repeat(4_096));
      expect(String((cause as Error).cause).length).toBeLessThan(200);
    }
  });

  test("is told as far as it can be read, and a thrown value stays one", async () => {
    for (const cause of await causesOf("hostile")) {
      const { message, stack, cause: behind } = cause as Error;
      expect([message, stack, behind]).toEqual(["shy", "Error: shy", undefined]);
    }
    for (const cause of await causesOf("bare")) expect(cause).toEqual({ status: 7 });
  });
});

describe("on the wire, the trace of a failure", () => {
  const reason = { kind: "error", error: new Error("x") } as const;

  test("may be absent, as from an older version", () => {
    const encoded = userMessages.encode({
      kind: "failure",
      call: 1,
      cause: "threw",
      mailbox: undefined,
      reason,
      trace: undefined,
    });
    const [read] = userMessages.decodeAll(encoded);
    expect(read).toMatchObject({ kind: "failure", trace: undefined });
    expect(traced(reason.error, undefined)).toBe(reason.error);
  });

  test("of more causes than are followed is malformed", () => {
    const cause = { error: new Error("c"), stack: undefined };
    const trace = { stack: undefined, causes: [cause, cause, cause, cause] };
    const encode = (causes: (typeof trace)["causes"]) =>
      userMessages.encode({
        kind: "failure",
        call: 1,
        cause: "threw",
        mailbox: undefined,
        reason,
        trace: { ...trace, causes },
      });
    expect(userMessages.decodeAll(encode(trace.causes))).toHaveLength(1);
    const text = Buffer.from(encode(trace.causes)).toString("latin1");
    const five = text.replace("\x94\x92", "\x95\x92\xc0\xc0\x92");
    expect(() => userMessages.decodeAll(Buffer.from(five, "latin1"))).toThrow(MalformedError);
    expect(traceOf("no error")).toBeUndefined();
  });
});
