import { describe, expect, test } from "vitest";
import type { ExitReason } from "../../../src/kernel/exit-reason.ts";
import { makeIncarnation, makeNodeId, makePid } from "../../../src/kernel/ids.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import { LocalProcess, type ProcessHost, type ProcessSettings } from "../../../src/node/process.ts";
import { checkReason } from "../../../src/node/reasons.ts";
import type { Failure, ReplyTo } from "../../../src/node/reply.ts";
import { RunQueue } from "../../../src/node/run-queue.ts";
import { Turn } from "../../../src/node/turn.ts";
import type { Handler } from "../../../src/node/types.ts";

const node = makeNodeId("n", makeIncarnation(1_700_000_000_000, [1, 2]));

class Reply implements ReplyTo {
  expiresAtMs = Number.POSITIVE_INFINITY;
  readonly outcomes: unknown[] = [];

  answer(value: unknown): void {
    this.outcomes.push(value);
  }

  fail(failure: Failure): void {
    this.outcomes.push(failure.cause);
  }
}

function setUp() {
  const clock = new VirtualClock();
  const counts = { failed: 0, undelivered: 0, expired: 0, full: 0 };
  const ends: ExitReason[] = [];
  const queue = new RunQueue(clock, () => turn.schedule(0));
  const turn: Turn = new Turn(clock, [() => queue.endTurn()]);
  const host: ProcessHost = {
    budget: queue.budget,
    nowMs: () => clock.now().monotonicMs,
    ready: (process) => queue.add(process),
    ended(process, reason) {
      ends.push(reason);
      process.end(reason);
      process.announceEnd();
    },
    failed: () => {
      counts.failed += 1;
    },
    undelivered: (messages) => {
      counts.undelivered += messages;
    },
    expired: () => {
      counts.expired += 1;
    },
    mailboxFull: () => {
      counts.full += 1;
    },
    checkReason,
    beforeHandler: () => {},
    tokenOf: () => undefined,
  };
  let serial = 0;
  const spawn = (handler: Handler | undefined, settings: Partial<ProcessSettings> = {}) => {
    serial += 1;
    return new LocalProcess(host, makePid(node, serial), serial, {
      ...{ handler, concurrency: 1, mailbox: 10, onError: "continue", onNotice: undefined },
      ...settings,
    });
  };
  const send = (process: LocalProcess, message: unknown, reply?: Reply) =>
    process.deliver({ message, from: undefined, reply });
  return { clock, counts, ends, send, spawn };
}

const throwHostile = () => {
  throw new Error("hostile");
};

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What makes an object a promise to whoever awaits it. */
const THEN = "then";

describe("one at a time", () => {
  test("sync handlers run in order, in the same turn, and answer without a promise", () => {
    const { clock, send, spawn } = setUp();
    const seen: unknown[] = [];
    const process = spawn((message) => {
      seen.push(message);
      return [message];
    });
    const reply = new Reply();
    for (let number = 0; number < 5; number += 1) send(process, number, reply);
    expect(seen).toEqual([]);
    clock.runUntil(0);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(reply.outcomes).toEqual([[0], [1], [2], [3], [4]]);
    expect(process.idle).toBe(true);
  });

  test("an async handler is waited for before the next message", async () => {
    const { clock, send, spawn } = setUp();
    const events: string[] = [];
    const process = spawn(async (message) => {
      events.push(`begin ${message}`);
      await settled();
      events.push(`end ${message}`);
    });
    for (const message of ["a", "b", "c"]) send(process, message);
    while (!process.idle) {
      clock.runUntil(0);
      await settled();
    }
    expect(events).toEqual(["begin a", "end a", "begin b", "end b", "begin c", "end c"]);
  });

  test("concurrency lets that many run at once", async () => {
    const { clock, send, spawn } = setUp();
    let running = 0;
    let most = 0;
    const process = spawn(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await settled();
        running -= 1;
      },
      { concurrency: 3 },
    );
    for (let number = 0; number < 10; number += 1) send(process, number);
    while (!process.idle) {
      clock.runUntil(0);
      await settled();
    }
    expect(most).toBe(3);
  });

  test("two processes with long queues take turns", () => {
    const { clock, send, spawn } = setUp();
    const order: string[] = [];
    const [a, b] = ["a", "b"].map((name) => spawn(() => order.push(name), { mailbox: 1_000 })) as [
      LocalProcess,
      LocalProcess,
    ];
    for (let number = 0; number < 200; number += 1) {
      send(a, number);
      send(b, number);
    }
    clock.runUntil(0);
    expect(order).toHaveLength(400);
    expect(order.indexOf("b")).toBeLessThan(100);
  });

  test("processes that keep each other busy do not keep the turn for ever", () => {
    const { clock, send, spawn } = setUp();
    let handled = 0;
    let stop = false;
    const bounce = (other: () => LocalProcess) => () => {
      handled += 1;
      if (!stop) send(other(), 0);
    };
    const a: LocalProcess = spawn(bounce(() => b));
    const b: LocalProcess = spawn(bounce(() => a));
    send(a, 0);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      stop = turns === 3;
      if (!stop) clock.endOfTurn(count);
    };
    clock.endOfTurn(count);
    clock.runUntil(0);
    expect(turns).toBe(3);
    expect(handled).toBeGreaterThan(100_000);
  });
});

describe("limits and errors", () => {
  test("a full mailbox takes no more", () => {
    const { clock, send, spawn } = setUp();
    const process = spawn(() => {}, { mailbox: 2 });
    expect([1, 2, 3].map((message) => send(process, message))).toEqual([true, true, false]);
    clock.runUntil(0);
    expect(send(process, 4)).toBe(true);
  });

  test("a throw, sync or async, fails the call or is reported, and the process lives on", async () => {
    const { clock, counts, send, spawn } = setUp();
    const handlers: Handler[] = [
      () => {
        throw new Error("sync");
      },
      async () => {
        throw new Error("async");
      },
      () => Object.defineProperty({}, THEN, { get: throwHostile }),
    ];
    for (const handler of handlers) {
      const process = spawn(handler);
      const reply = new Reply();
      send(process, 1, reply);
      send(process, 2);
      clock.runUntil(0);
      await settled();
      clock.runUntil(0);
      await settled();
      expect(reply.outcomes).toEqual(["threw"]);
      expect(process.alive).toBe(true);
    }
    expect(counts.failed).toBe(3);
  });

  test("without a handler a message is counted, and a call fails", () => {
    const { clock, counts, send, spawn } = setUp();
    const process = spawn(undefined);
    const reply = new Reply();
    send(process, 1);
    send(process, 2, reply);
    clock.runUntil(0);
    expect(counts.undelivered).toBe(1);
    expect(reply.outcomes).toEqual(["threw"]);
  });

  test("a call whose caller has given up is not begun", () => {
    const { clock, counts, send, spawn } = setUp();
    const seen: unknown[] = [];
    const process = spawn((message) => seen.push(message));
    const reply = new Reply();
    reply.expiresAtMs = 10;
    send(process, 1, reply);
    clock.after(20, () => {});
    clock.advanceBy(5);
    const late = new Reply();
    late.expiresAtMs = 3;
    send(process, 2, late);
    clock.runUntil(6);
    expect(seen).toEqual([1]);
    expect(counts.expired).toBe(1);
  });
});

describe("the end", () => {
  test("calls that wait or run are told at once; what waits is counted; the signal is aborted", async () => {
    const { clock, counts, ends, send, spawn } = setUp();
    let signal: AbortSignal | undefined;
    const process = spawn((_message, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    const [running, waiting] = [new Reply(), new Reply()];
    send(process, 1, running);
    send(process, 2, waiting);
    send(process, 3);
    clock.runUntil(0);
    process.exit({ kind: "killed" });
    process.exit();
    expect(running.outcomes).toEqual(["noSuchProcess"]);
    expect(waiting.outcomes).toEqual(["noSuchProcess"]);
    expect(counts.undelivered).toBe(1);
    expect(ends).toEqual([{ kind: "killed" }]);
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toMatchObject({ name: "AbortError" });
    expect(await process.exited).toEqual({ kind: "killed" });
    expect(process.signal.aborted).toBe(true);
  });

  test("a handler that ends its own process answers no more, neither at once nor later", async () => {
    const { clock, counts, send, spawn } = setUp();
    const [now, later, thrown] = [new Reply(), new Reply(), new Reply()];
    const fails = spawn((_message, { self }) => {
      self.exit();
      throw new Error("too late");
    });
    const alsoFails = spawn((_message, { self }) => {
      self.exit();
      throw new Error("too late");
    });
    const quits = spawn((_message, { self }) => {
      self.exit();
      return "bye";
    });
    const quitsLater = spawn(async (_message, { self }) => {
      self.exit();
      return "bye";
    });
    send(quits, 1, now);
    send(quitsLater, 1, later);
    send(fails, 1, thrown);
    send(alsoFails, 1);
    clock.runUntil(0);
    await settled();
    expect(now.outcomes).toEqual(["noSuchProcess"]);
    expect(thrown.outcomes).toEqual(["noSuchProcess"]);
    expect(counts.failed).toBe(0);
    expect(later.outcomes).toEqual(["noSuchProcess"]);
  });

  test("what a handler throws after its process has ended concerns nobody", async () => {
    const { clock, counts, send, spawn } = setUp();
    const process = spawn(
      (_message, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    send(process, 1);
    clock.runUntil(0);
    process.exit();
    await settled();
    expect(counts.failed).toBe(0);
  });

  test("onError exit ends the process with what was thrown", () => {
    const { clock, ends, send, spawn } = setUp();
    const error = new Error("crash");
    const process = spawn(
      () => {
        throw error;
      },
      { onError: "exit" },
    );
    const reply = new Reply();
    send(process, 1, reply);
    clock.runUntil(0);
    expect(reply.outcomes).toEqual(["threw"]);
    expect(ends).toEqual([{ kind: "error", error }]);
  });

  test("an onNotice that throws or rejects is reported", async () => {
    const { counts, spawn } = setUp();
    const notice = { kind: "draining", deadlineMs: 1 } as const;
    spawn(undefined, {
      onNotice: () => {
        throw new Error("no");
      },
    }).notify(notice);
    spawn(undefined, { onNotice: async () => Promise.reject(new Error("no")) }).notify(notice);
    await settled();
    expect(counts.failed).toBe(2);
  });
});
