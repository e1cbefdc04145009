import { describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../../src/kernel/errors.ts";
import { judgeStream, judgeVersion, planOf, warnOfVersion } from "../../../src/lease/jetstream/stream.ts";
import { jetstreamLeases } from "../../../src/lease/jetstream.ts";

test("without options it is a stream of three replicas, with a ttl that outlasts an election", () => {
  const store = jetstreamLeases();
  expect(store).toMatchObject({ kind: "jetstream", servers: ["JetStream default"] });
  expect(store.settings).toEqual({ ttlMs: 30_000, clockRateBound: 0.01, serverStepMs: 0 });
});

test.each<[object, string]>([
  [{ replicas: 2 }, "jetstreamLeases.replicas"],
  [{ replicas: "3" }, "jetstreamLeases.replicas"],
  [{ ttlMs: 10.5 }, "jetstreamLeases.ttlMs"],
  [{ ttlMs: 49 }, "leases.ttlMs"],
  [{ ttlMs: 600_001 }, "leases.ttlMs"],
  [{ clockRateBound: 0.3 }, "leases.clockRateBound"],
  [{ bucket: "" }, "jetstreamLeases.bucket"],
  [{ bucket: "a.b" }, "jetstreamLeases.bucket"],
  [{ bucket: ">" }, "jetstreamLeases.bucket"],
  [{ bucket: "x".repeat(65) }, "jetstreamLeases.bucket"],
  [{ servers: "nats://a:0" }, "jetstreamLeases.servers"],
  [{ servers: [] }, "jetstreamLeases.servers"],
  [{ user: "a", token: "b" }, "jetstreamLeases"],
  [{ pass: "a" }, "jetstreamLeases.pass"],
  [{ nkeySeed: "XX" }, "jetstreamLeases.nkeySeed"],
  [{ connection: {} }, "jetstreamLeases.connection"],
  [{ advisories: "a" }, "jetstreamLeases.advisories"],
  [{ ttl: 5 }, "jetstreamLeases.ttl"],
])("%j is refused, by name", (options, path) => {
  const act = (): unknown => jetstreamLeases(options as never);
  expect(act).toThrow(InvalidArgumentError);
  expect(act).toThrow(`${path} `);
});

test("no password is shown", () => {
  const options = [
    { servers: "nats://u:hush@a:99999" },
    { pass: "hush" },
    { nkeySeed: "hush" },
    { passwd: "hush" },
  ];
  for (const each of options) {
    let message = "";
    try {
      jetstreamLeases(each as never);
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(/jetstreamLeases/);
    expect(message).not.toContain("hush");
  }
});

test.each([
  ["2.8.4", false],
  ["1.9.9", false],
  ["", false],
  ["2.9.0", true],
  ["2.12.1", true],
  ["3.0.0-beta", true],
])("nats-server %s: %s", (version, fits) => {
  const fault = judgeVersion(version);
  expect(fault === undefined).toBe(fits);
  if (fault !== undefined) expect(fault).toMatch(/upgrade it to 2\.9/);
});

test("whoever replicates a stream on a version whose copies may differ is warned", () => {
  expect(warnOfVersion("2.9.10", 3)).toMatch(/two holders until that is noticed; upgrade it/);
  expect(warnOfVersion("2.9.10", 1)).toBeUndefined();
  expect(warnOfVersion("2.10.4", 3)).toBeUndefined();
});

describe("a stream that is there already", () => {
  const plan = planOf("b", 3);
  const fit = {
    subjects: [plan.subjects],
    num_replicas: 3,
    retention: "limits",
    discard: "new",
    max_age: 0,
    max_msgs_per_subject: -1,
    storage: "file",
  };

  test("is taken if it keeps all that it is given", () => {
    expect(judgeStream(fit as never, plan)).toBeUndefined();
  });

  test.each([
    [{ subjects: ["other"] }, /other/],
    [{ num_replicas: 1 }, /1 replicas, and replicas: 3/],
    [{ retention: "workqueue" }, /workqueue/],
    [{ discard: "old" }, /discard: new/],
    [{ max_age: 1 }, /max_age: 0/],
    [{ max_msgs_per_subject: 1 }, /1 messages/],
  ])("is refused with %j, and what to do is said", (change, expected) => {
    expect(judgeStream({ ...fit, ...change } as never, plan)).toMatch(expected);
  });

  test("is refused in the memory of one server", () => {
    const alone = { ...fit, num_replicas: 1, storage: "memory" };
    expect(judgeStream(alone as never, planOf("b", 1))).toMatch(/memory/);
  });
});
