import { beforeEach, describe, expect, test } from "vitest";
import { Live, type Status } from "../../../../src/http/page/live.js";
import { eventually } from "../../../support/eventually.ts";

/** One request of the page, and what it is answered. */
class Asked {
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly #answer: (response: Response) => void;
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(init: RequestInit, answer: (response: Response) => void, fail: (error: unknown) => void) {
    this.headers = new Headers(init.headers);
    this.signal = init.signal ?? new AbortController().signal;
    this.#answer = answer;
    this.signal.addEventListener("abort", () => {
      fail(this.signal.reason);
      this.#stream?.error(this.signal.reason);
    });
  }

  refuse(status: number, detail: string): void {
    this.#answer(new Response(JSON.stringify({ detail }), { status }));
  }

  accept(): void {
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        this.#stream = stream;
      },
    });
    this.#answer(new Response(body));
  }

  say(text: string): void {
    this.#stream?.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.#stream?.close();
  }
}

describe("a stream that is followed", () => {
  let asked: Asked[];
  let timers: Map<() => void, number>;
  let statuses: Status[];
  let told: string[];
  let token: string | undefined;
  let takes: () => void;
  let live: Live;

  beforeEach(() => {
    asked = [];
    timers = new Map();
    statuses = [];
    told = [];
    token = undefined;
    takes = () => {};
    live = new Live({
      url: "v1/watch/all",
      fetch: (_url, init) =>
        new Promise((answer, fail) => {
          asked.push(new Asked(init ?? {}, answer, fail));
        }),
      after: (ms, run) => {
        const timer = () => {
          timers.delete(timer);
          run();
        };
        timers.set(timer, ms);
        return () => timers.delete(timer);
      },
      random: () => 1,
      token: () => token,
      onEvents: (events) => {
        takes();
        told.push(...events.map(({ data }) => data));
      },
      onStatus: (status) => statuses.push(status),
    });
  });

  const kinds = () => statuses.map(({ kind }) => kind);
  const last = (): Asked => {
    const latest = asked.at(-1);
    if (latest === undefined) throw new Error("nothing was asked");
    return latest;
  };
  const settle = (kind: Status["kind"]) => eventually(() => statuses.at(-1)?.kind === kind);
  const fire = () => {
    for (const timer of [...timers.keys()]) timer();
  };
  const accepted = async () => {
    last().accept();
    await settle("live");
  };

  test("is live when it is answered, and tells what comes", async () => {
    live.start();
    await accepted();
    last().say("id: 1\ndata: one\n\ndata: tw");
    last().say("o\n\n");
    await eventually(() => told.length === 2);
    expect(told).toEqual(["one", "two"]);
    expect(last().headers.has("last-event-id")).toBe(false);
    expect(last().headers.has("authorization")).toBe(false);
  });

  test("comes back to where it was, with the token of the moment", async () => {
    live.start();
    await accepted();
    last().say("id: 7\ndata: one\n\n");
    await eventually(() => told.length === 1);
    last().end();
    await settle("waiting");
    token = "secret";
    fire();
    expect(asked).toHaveLength(2);
    expect(last().headers.get("last-event-id")).toBe("7");
    expect(last().headers.get("authorization")).toBe("Bearer secret");
  });

  test("asks anew for what could not be taken", async () => {
    live.start();
    await accepted();
    takes = () => {
      throw new Error("it is broken");
    };
    last().say("id: 7\ndata: one\n\n");
    await settle("waiting");
    expect(statuses.at(-1)).toMatchObject({ why: "it is broken" });
    fire();
    expect(last().headers.has("last-event-id")).toBe(false);
  });

  test("waits longer each time, up to a limit, and from the beginning once something came", async () => {
    const waits: number[] = [];
    live.start();
    for (let tries = 0; tries < 6; tries += 1) {
      last().refuse(503, "leaving");
      await settle("waiting");
      waits.push([...timers.values()][0] ?? 0);
      fire();
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    await accepted();
    last().say("retry: 300\ndata: one\n\n");
    await eventually(() => told.length === 1);
    last().end();
    await settle("waiting");
    expect([...timers.values()]).toEqual([300]);
  });

  test("does not ask again when it is refused, until it is told to", async () => {
    live.start();
    last().refuse(401, "this takes a token");
    await settle("refused");
    expect(statuses.at(-1)).toEqual({ kind: "refused", status: 401, why: "this takes a token" });
    expect(timers.size).toBe(0);
    live.start();
    await accepted();
    expect(kinds()).toEqual(["connecting", "refused", "connecting", "live"]);
  });

  test("gives up a connection on which nothing comes, not even a comment", async () => {
    live.start();
    await accepted();
    const [before] = timers.keys();
    last().say(": still here\n\n");
    // It has longer each time that something came.
    await eventually(() => timers.size === 1 && [...timers.keys()][0] !== before);
    fire();
    await settle("waiting");
    expect(last().signal.aborted).toBe(true);
    expect(statuses.at(-1)).toMatchObject({ why: "nothing was heard for long" });
  });

  test("rests while it is paused, and goes on where it was", async () => {
    live.start();
    await accepted();
    last().say("id: 7\ndata: one\n\n");
    await eventually(() => told.length === 1);
    live.pause();
    await settle("paused");
    expect(last().signal.aborted).toBe(true);
    await eventually(() => timers.size === 0);
    live.start();
    expect(last().headers.get("last-event-id")).toBe("7");
    await accepted();
    expect(kinds()).toEqual(["connecting", "live", "paused", "connecting", "live"]);
  });
});
