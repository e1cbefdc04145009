import { describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../../src/kernel/errors.ts";
import { parseOptions } from "../../../src/node/options.ts";
import { keepOldest } from "../../../src/resolve/resolvers.ts";

const refused = (options: unknown): InvalidArgumentError => {
  try {
    parseOptions(options);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return error;
    throw error;
  }
  throw new Error("it was accepted");
};

describe("defaults", () => {
  test("are those of the documentation", () => {
    const settings = parseOptions({ cluster: "c" });
    expect(settings).toMatchObject({
      cluster: "c",
      name: undefined,
      bus: undefined,
      secrets: [],
      resolve: keepOldest,
    });
    expect(settings.failureDetection).toEqual({
      heartbeatMs: 1_000,
      suspectAfterMs: 3_000,
      deadAfterMs: 8_000,
      probeEveryMs: 100,
      disconnectGraceMs: 750,
      busGraceMs: 10_000,
      arbiterTimeoutMs: 3_000,
      discoveryMs: 300,
    });
    expect(settings.limits).toMatchObject({
      metadataBytes: 8_192,
      messageBytes: 524_288,
      namesPerNode: 1_000_000,
      mailbox: 10_000,
      outboundBytes: 67_108_864,
      watchQueue: 10_000,
      callMs: 5_000,
      registerMs: 10_000,
      resolverMs: 5_000,
    });
  });

  test("follow each other: the arbiter is never given up before it is suspected", () => {
    const times = parseOptions({
      cluster: "c",
      failureDetection: { suspectAfterMs: 6_000 },
    }).failureDetection;
    expect(times).toMatchObject({ arbiterTimeoutMs: 6_000, deadAfterMs: 16_000 });
    const slow = parseOptions({ cluster: "c", failureDetection: { heartbeatMs: 5_000 } }).failureDetection;
    expect(slow).toMatchObject({ suspectAfterMs: 15_000, deadAfterMs: 40_000 });
    expect(
      parseOptions({ cluster: "c", limits: undefined, failureDetection: undefined, secret: undefined }),
    ).toBeDefined();
  });

  test("one secret is a list of one", () => {
    expect(parseOptions({ cluster: "c", secret: "long enough" }).secrets).toEqual(["long enough"]);
    expect(parseOptions({ cluster: "c", secret: ["long enough", "old enough"] }).secrets).toHaveLength(2);
  });
});

describe("what is wrong is named, with its value and what it takes", () => {
  const cases: readonly [unknown, path: string, expected: RegExp][] = [
    [undefined, "options", /an object/],
    [{}, "cluster", /a non-empty string of at most 512 bytes/],
    [{ cluster: "" }, "cluster", /cluster is ""; it takes a non-empty string/],
    [{ cluster: "c", name: "a b" }, "name", /letters, digits/],
    [{ cluster: "c", bus: "nats://x" }, "bus", /natsBus\(\)/],
    [{ cluster: "c", resolve: "keepOldest" }, "resolve", /a function/],
    [{ cluster: "c", logger: console.log }, "logger", /debug, info, warn and error/],
    [{ cluster: "c", signal: {} }, "signal", /an AbortSignal/],
    [{ cluster: "c", limits: 5 }, "limits", /an object/],
    [
      { cluster: "c", limits: { callMs: "5s" } },
      "limits.callMs",
      /"5s"; it takes a whole number of milliseconds from 1/,
    ],
    [
      { cluster: "c", limits: { callMs: 1.5 } },
      "limits.callMs",
      /1.5; it takes a whole number of milliseconds/,
    ],
    [{ cluster: "c", limits: { mailbox: 0 } }, "limits.mailbox", /a whole number of messages from 1/],
    [
      { cluster: "c", limits: { mailBox: 1 } },
      "limits.mailBox",
      /no such option; there are metadataBytes, .*mailbox/,
    ],
    [{ cluster: "c", clustr: 1 }, "clustr", /no such option; there are cluster, name, bus/],
    [
      { cluster: "c", failureDetection: { heartbeat: 1 } },
      "failureDetection.heartbeat",
      /no such option; there are heartbeatMs/,
    ],
    [
      { cluster: "c", failureDetection: { arbiterTimeoutMs: 2_000 } },
      "failureDetection.arbiterTimeoutMs",
      /2000; it takes at least 3000 milliseconds: no less than suspectAfterMs/,
    ],
    [
      { cluster: "c", failureDetection: { deadAfterMs: 2_000 } },
      "failureDetection.deadAfterMs",
      /more than suspectAfterMs/,
    ],
    [
      { cluster: "c", failureDetection: { suspectAfterMs: 1_500 } },
      "failureDetection.suspectAfterMs",
      /twice heartbeatMs/,
    ],
  ];

  test.each(cases)("%j", (options, path, expected) => {
    const error = refused(options);
    expect(error.path).toBe(path);
    expect(error.message).toMatch(expected);
    expect(error.code).toBe("INVALID_ARGUMENT");
  });

  test("a secret is never shown", () => {
    for (const secret of ["short", ["long enough", "short"], [], 5]) {
      const error = refused({ cluster: "c", secret });
      expect(error.path).toBe("secret");
      expect(`${error.message} ${JSON.stringify(error.value)}`).not.toContain("short");
    }
  });
});
