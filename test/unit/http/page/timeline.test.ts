import { beforeEach, describe, expect, test } from "vitest";
import { SECONDS, Timeline } from "../../../../src/http/page/timeline.js";
import { plain, verdictWords } from "../../../../src/http/page/words.js";
import { nodeOf, pidOf, START_MS, Stories, silent } from "./stories.ts";

describe("the timeline", () => {
  let stories: Stories;
  let timeline: Timeline;

  beforeEach(() => {
    stories = new Stories();
    timeline = new Timeline();
  });

  const words = () => timeline.entries.map(({ parts }) => plain(parts));
  const tones = () => timeline.entries.map(({ tone }) => tone);

  test("tells the latest first, each in its tone", () => {
    timeline.add(stories.tell("nodes", "up", { id: nodeOf("oslo"), name: "oslo" }));
    timeline.add(stories.tell("nodes", "suspect", { id: nodeOf("oslo"), name: "oslo" }));
    timeline.add(stories.tell("nodes", "down", { id: nodeOf("oslo"), name: "oslo", reason: silent("oslo") }));
    timeline.add(
      stories.tell("nodes", "down", { name: "lima", reason: { ...silent("lima"), cause: "left" } }),
    );
    expect(words()).toEqual([
      "Node lima is down: it said goodbye",
      "Node oslo is down: it went silent",
      "Node oslo is silent: it is asked whether it lives",
      "Node oslo is heard",
    ]);
    expect(tones()).toEqual(["calm", "bad", "warn", "good"]);
  });

  test("tells what comes in turns from a lost node as two things", () => {
    for (let index = 0; index < 1_000; index += 1) {
      timeline.add(stories.unregistered(`shard/${index}`, "perth", silent("perth"), index));
      timeline.add(
        stories.tell("groups", "left", { group: "workers", node: nodeOf("perth"), reason: silent("perth") }),
      );
    }
    expect(words()).toEqual([
      "1,000 memberships of perth purged: workers",
      "1,000 names of perth purged: shard/0, shard/1 and shard/2 …",
    ]);
  });

  test("keeps apart what is of other nodes, for other reasons, or from another time", () => {
    timeline.add(stories.registered("a", "oslo"));
    timeline.add(stories.registered("b", "lima"));
    timeline.add(stories.unregistered("c", "oslo", { kind: "released" }));
    timeline.add(stories.unregistered("d", "oslo", { kind: "normal" }));
    stories.atMs += 10_000;
    timeline.add(stories.registered("e", "oslo"));
    expect(timeline.entries).toHaveLength(5);
  });

  test("tells of a failover: a name that had to find another holder", () => {
    timeline.add(stories.unregistered("billing", "delhi", silent("delhi")));
    stories.atMs += 1_200;
    timeline.add(stories.registered("billing", "cairo"));
    expect(words()[0]).toBe("billing failed over from delhi to cairo, after 1.2 s");
    expect(tones()[0]).toBe("moved");
  });

  test("does not take for a failover what was given up, comes back, or comes late", () => {
    timeline.add(stories.unregistered("a", "delhi", { kind: "released" }));
    timeline.add(stories.registered("a", "cairo"));
    expect(words()[0]).toBe("a moved from delhi to cairo");
    timeline.add(stories.unregistered("b", "delhi", silent("delhi")));
    timeline.add(stories.registered("b", "delhi"));
    expect(words()[0]).toBe("b is with delhi again");
    timeline.add(stories.unregistered("c", "delhi", silent("delhi")));
    stories.atMs += 61_000;
    timeline.add(stories.registered("c", "cairo"));
    expect(words()[0]).toBe("c (AP) registered by cairo");
  });

  test("tells who holds a lease now, and with which token", () => {
    const lease = (event: string, city: string, token: string) =>
      stories.tell("strict-names", event, { name: "ledger", node: nodeOf(city), pid: pidOf(city), token });
    timeline.add(lease("granted", "perth", "17"));
    timeline.add(lease("ended", "perth", "17"));
    timeline.add(lease("granted", "oslo", "18"));
    expect(words()).toEqual([
      "ledger moved from perth to oslo, token 18",
      "Lease of ledger ended: token 17 of perth",
      "ledger (CP) granted to perth, token 17",
    ]);
  });

  test.each([
    [{ keep: pidOf("delhi"), losers: "exit" }, "delhi keeps it, cairo loses it, and its process ends"],
    [{ keep: pidOf("cairo"), losers: "notify" }, "cairo keeps it, delhi loses it, and its process lives on"],
    [{ keep: "none", notify: true }, "nobody keeps it; it was held by delhi and cairo"],
  ])("tells how a clash was decided, and keeps it (%#)", (verdict, told) => {
    const contenders = ["delhi", "cairo"].map((city) => ({ pid: pidOf(city), node: nodeOf(city) }));
    timeline.add(stories.tell("names", "clash", { name: "billing", contenders, verdict }));
    expect(words()).toEqual([`Clash over billing: ${told}`]);
    expect(timeline.clashes).toHaveLength(1);
  });

  test("knows of a clash by its outcome alone, and once when it is told both", () => {
    const clashes = () => timeline.clashes.map(({ story }) => `${story.name}: ${plain(verdictWords(story))}`);
    const lost = { kind: "nameClash", name: "billing", winner: pidOf("delhi") };
    timeline.add(stories.unregistered("billing", "cairo", lost));
    timeline.add(stories.unregistered("mail", "lima", { kind: "nameClash", name: "mail" }));
    expect(clashes()).toEqual([
      "mail: nobody keeps it; it was held by lima",
      "billing: delhi keeps it, cairo loses it",
    ]);
    timeline.add(
      stories.unregistered("mail", "perth", { kind: "nameClash", name: "mail", winner: pidOf("lima") }),
    );
    expect(clashes()[0]).toBe("mail: lima keeps it, perth loses it");
    expect(clashes()).toHaveLength(2);
    const contenders = ["delhi", "cairo"].map((city) => ({ pid: pidOf(city), node: nodeOf(city) }));
    const verdict = { keep: pidOf("delhi"), losers: "exit" };
    stories.atMs += 1_000;
    timeline.add(stories.tell("names", "clash", { name: "billing", contenders, verdict }));
    timeline.add(stories.unregistered("billing", "cairo", lost));
    expect(clashes()).toEqual([
      "billing: delhi keeps it, cairo loses it, and its process ends",
      "mail: lima keeps it, perth loses it",
    ]);
    stories.atMs += 60_000;
    timeline.add(stories.unregistered("billing", "cairo", lost));
    expect(timeline.clashes).toHaveLength(3);
  });

  test("counts what happened in each second, what was lost by itself", () => {
    timeline.add(stories.registered("a", "oslo"));
    timeline.add(stories.unregistered("b", "lima", silent("lima")));
    stories.atMs += 1_000;
    timeline.add(stories.tell("names", "updated", { name: "a", node: nodeOf("oslo"), pid: pidOf("oslo") }));
    const rates = timeline.rates(START_MS + 2_500);
    expect(rates).toHaveLength(SECONDS);
    expect(rates.slice(-4)).toEqual([
      { gained: 0, lost: 0, other: 0 },
      { gained: 1, lost: 1, other: 0 },
      { gained: 0, lost: 0, other: 1 },
      { gained: 0, lost: 0, other: 0 },
    ]);
  });

  test("knows what it was not told, and does not when the numbers begin anew", () => {
    timeline.add(stories.registered("a", "oslo"));
    stories.skip(5_000);
    timeline.add(stories.registered("b", "oslo"));
    expect(timeline.missed).toBe(5_000);
    expect(timeline.rates(START_MS).at(-1)).toEqual({ gained: 2, lost: 0, other: 5_000 });
    timeline.restart();
    stories.skip(-4_000);
    timeline.add(stories.registered("c", "oslo"));
    expect(timeline.missed).toBe(5_000);
  });

  test("takes nothing twice", () => {
    const story = stories.registered("a", "oslo");
    timeline.add(story);
    timeline.add(story);
    expect(timeline.entries.map(({ count }) => count)).toEqual([1]);
  });

  test("forgets what is long past, however much happens", () => {
    for (let second = 0; second < 2_000; second += 1) {
      timeline.add(stories.unregistered(`n${second}`, "oslo", { kind: "normal" }));
      stories.atMs += 3_000;
    }
    expect(timeline.entries).toHaveLength(400);
  });
});
