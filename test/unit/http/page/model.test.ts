import { beforeEach, describe, expect, test } from "vitest";
import { firstOf } from "../../../../src/http/page/directory.js";
import { Model } from "../../../../src/http/page/model.js";
import { missing, situation } from "../../../../src/http/page/situation.js";
import { plain } from "../../../../src/http/page/words.js";
import { nodeOf, pidOf, START_MS, Stories, silent } from "./stories.ts";

const HELLO = {
  self: nodeOf("oslo"),
  name: "oslo",
  cluster: "harbour",
  version: "1.0.0",
  scope: "default",
  scopes: ["default"],
  at: new Date(START_MS).toISOString(),
  timeline: "one",
};

describe("what the page knows", () => {
  let model: Model;

  beforeEach(() => {
    model = new Model();
    model.take("hello", JSON.stringify(HELLO), START_MS - 5_000);
  });

  const take = (table: string, event: string, data: unknown) =>
    model.take(event, JSON.stringify({ table, data }), START_MS);
  const state = (table: string, items: readonly unknown[], event = "state", last = true) =>
    take(table, event, { items, last });
  const name = (name: string, city: string) => ({ name, pid: pidOf(city), node: nodeOf(city), meta: null });
  const member = (group: string, city: string, serial = 1) => ({
    group,
    pid: pidOf(city, serial),
    node: nodeOf(city),
    meta: null,
    joins: 1,
  });
  const node = (city: string, state = "up") => ({ id: nodeOf(city), name: city, state, scopes: ["default"] });
  const lost = (city: string, more: object = {}) => ({
    id: nodeOf(city),
    name: city,
    reason: silent(city),
    at: new Date(START_MS).toISOString(),
    names: 2,
    members: 3,
    ...more,
  });
  const now = (afterMs: number) => {
    const { details, headline, tone } = situation(model, START_MS + afterMs);
    return { tone, headline, details: plain(details) };
  };

  test("reads the clock of the node off its own", () => {
    expect(model.skewMs).toBe(5_000);
  });

  test("shows a table when it was told to its end, and the former until then", () => {
    state("names", [name("a", "oslo")]);
    state("names", [name("b", "oslo")], "resync", false);
    expect([...model.names.keys()]).toEqual(["a"]);
    state("names", [name("c", "oslo")], "resync");
    expect([...model.names.keys()]).toEqual(["b", "c"]);
    expect(model.holdings(nodeOf("oslo"))).toEqual({ names: 2, strict: 0, members: 0 });
  });

  test("forgets what was half told when it is told anew", () => {
    state("names", [name("a", "oslo")], "state", false);
    model.take("hello", JSON.stringify(HELLO), START_MS);
    state("names", [name("b", "oslo")]);
    expect([...model.names.keys()]).toEqual(["b"]);
  });

  test("says that it was resynced, and not for its first words, nor for the timeline", () => {
    state("names", []);
    state("events", [], "resync");
    expect(model.resyncedAtMs).toBe(Number.NEGATIVE_INFINITY);
    state("groups", [], "resync");
    expect(model.resyncedAtMs).toBe(START_MS);
  });

  test("counts what each node holds, through every change", () => {
    take("names", "registered", name("a", "oslo"));
    take("names", "registered", name("a", "lima"));
    take("names", "updated", name("a", "lima"));
    take("groups", "joined", member("g", "lima", 1));
    take("groups", "joined", member("g", "lima", 2));
    take("groups", "updated", member("g", "lima", 2));
    take("strict-names", "registered", { ...name("s", "lima"), token: "1" });
    expect(model.holdings(nodeOf("lima"))).toEqual({ names: 1, strict: 1, members: 2 });
    expect(model.holdings(nodeOf("oslo"))).toEqual({ names: 0, strict: 0, members: 0 });
    take("names", "unregistered", name("a", "lima"));
    take("groups", "left", member("g", "lima", 1));
    take("groups", "left", member("g", "lima", 1));
    take("groups", "left", member("g", "lima", 2));
    take("strict-names", "unregistered", { ...name("s", "lima"), token: "1" });
    expect(model.holdings(nodeOf("lima"))).toEqual({ names: 0, strict: 0, members: 0 });
    expect([model.members, model.groups.size]).toEqual([0, 0]);
  });

  test("keeps a lease that was granted anew when the end of the former is told late", () => {
    take("strict-names", "registered", { ...name("s", "lima"), token: "1" });
    take("strict-names", "registered", { ...name("s", "oslo"), token: "2" });
    take("strict-names", "unregistered", { ...name("s", "lima"), token: "1" });
    expect(model.strict.get("s")?.token).toBe("2");
    expect(model.holdings(nodeOf("lima")).strict).toBe(0);
  });

  test("takes the timeline of another service from its beginning, and of the same from where it was", () => {
    const story = new Stories().registered("a", "oslo");
    take("events", "registered", story);
    model.take("hello", JSON.stringify(HELLO), START_MS);
    take("events", "registered", story);
    expect(model.timeline.entries[0]?.count).toBe(1);
    model.take("hello", JSON.stringify({ ...HELLO, timeline: "two" }), START_MS);
    take("events", "registered", story);
    expect(model.timeline.entries[0]?.count).toBe(2);
  });

  test("waits for the first word", () => {
    expect(situation(new Model(), START_MS).tone).toBe("unknown");
  });

  test("says who is heard", () => {
    state("nodes", [node("oslo")]);
    expect(now(0)).toMatchObject({ tone: "alone", headline: "This node is alone" });
    state("nodes", [node("oslo"), node("lima")]);
    expect(now(0)).toMatchObject({ tone: "good", headline: "Both nodes are heard" });
    take("nodes", "suspect", node("lima", "suspect"));
    expect(now(0)).toEqual({
      tone: "warn",
      headline: "1 of 2 nodes is heard",
      details: "lima has fallen silent, and is asked whether it lives.",
    });
  });

  test("says who was lost, since when, with what; and that it is back, after how long, with which clashes", () => {
    state("nodes", [node("oslo"), node("lima"), node("cairo")]);
    state("lost-nodes", [
      lost("perth"),
      lost("delhi", { reason: { ...silent("delhi"), cause: "disconnected" } }),
    ]);
    expect(now(12_000)).toEqual({
      tone: "bad",
      headline: "3 of 5 nodes are heard",
      details:
        "delhi dropped off the bus 12 s ago. perth went silent 12 s ago. 4 names and 6 memberships purged.",
    });
    const backAt = new Date(START_MS + 20_000).toISOString();
    take("nodes", "up", node("perth"));
    take("nodes", "up", node("delhi"));
    for (const city of ["perth", "delhi"]) take("lost-nodes", "lost", lost(city, { backAt }));
    const contenders = ["delhi", "cairo"].map((city) => ({ pid: pidOf(city), node: nodeOf(city) }));
    const verdict = { keep: pidOf("delhi"), losers: "exit" };
    take("events", "clash", new Stories().tell("names", "clash", { name: "a", contenders, verdict }));
    expect(now(25_000)).toEqual({
      tone: "healed",
      headline: "All 5 nodes are heard again",
      details: "delhi and perth were away for 20 s. 1 name clash decided.",
    });
    expect(now(200_000).headline).toBe("All 5 nodes are heard");
  });

  test("is not alarmed by a goodbye, nor by a restart, nor for ever", () => {
    state("nodes", [node("oslo"), node("lima")]);
    state("lost-nodes", [lost("perth", { reason: { ...silent("perth"), cause: "left" } })]);
    expect(now(1_000).tone).toBe("good");
    expect(missing(model, START_MS + 29_000)).toHaveLength(1);
    expect(missing(model, START_MS + 31_000)).toEqual([]);
    const backAt = new Date(START_MS).toISOString();
    state("lost-nodes", [lost("perth", { backAt })]);
    expect(missing(model, START_MS)).toEqual([]);
    state("lost-nodes", [lost("lima", { reason: { ...silent("lima"), cause: "replaced" }, backAt })]);
    expect(now(1_000).headline).toBe("Both nodes are heard");
    state("lost-nodes", [lost("perth")]);
    expect(now(599_000).tone).toBe("bad");
    expect(now(601_000).tone).toBe("good");
  });
});

describe("the first of many", () => {
  test("are those that would stand first if all were sorted, and all are counted", () => {
    const numbers = Array.from({ length: 10_000 }, (_, index) => (index * 7_919) % 10_007);
    const isEven = (number: number) => number % 2 === 0;
    const { count, first } = firstOf(numbers, isEven, (one, other) => one < other, 50);
    const sorted = numbers.filter(isEven).sort((a, b) => a - b);
    expect(count).toBe(sorted.length);
    expect(first).toEqual(sorted.slice(0, 50));
  });
});
