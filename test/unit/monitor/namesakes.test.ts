import { describe, expect, test } from "vitest";
import { NameClaim, type NameClaimInput } from "../../../src/monitor/name-claim.ts";
import { DEFAULT_TIMES } from "../../../src/monitor/settings.ts";
import { Cluster, type SimulatedNode } from "./cluster.ts";

function duplicates(cluster: Cluster, on: SimulatedNode): string[] {
  return cluster.of("duplicate", on).map(({ effect }) => effect.other);
}

/** One node, and a first one of the name that is at stake. */
function beside(): { readonly cluster: Cluster; readonly other: SimulatedNode; readonly old: SimulatedNode } {
  const cluster = new Cluster();
  const other = cluster.start("other");
  const old = cluster.start("web");
  cluster.run(1_500);
  return { cluster, other, old };
}

describe("a node that restarts", () => {
  test("takes the place of its predecessor within moments", () => {
    const cluster = new Cluster();
    const others = cluster.startMany(3);
    const old = cluster.start("web");
    cluster.run(1_500);
    cluster.kill(old);
    const startedAtMs = cluster.nowMs;
    const young = cluster.start("web", { replaces: true });
    cluster.run(1_000);
    for (const node of others) {
      const [down] = cluster.of("down", node);
      expect(down?.effect).toEqual({ kind: "down", node: old.id, cause: "replaced" });
      expect((down?.atMs ?? 0) - startedAtMs).toBeLessThan(20);
      expect(node.membership.isUp(young.id)).toBe(true);
    }
    expect(cluster.disagreements()).toEqual([]);
  });

  test("takes the place of a suspect at once, first the one down, then the other up", () => {
    const { cluster, other, old } = beside();
    cluster.freeze(old);
    cluster.run(5_000);
    cluster.happenings.length = 0;
    cluster.start("web", { replaces: true });
    cluster.run(20);
    const seen = cluster.happenings.filter(
      ({ on, effect }) => on === other.id && ["up", "down"].includes(effect.kind),
    );
    expect(seen.map(({ effect }) => effect.kind)).toEqual(["down", "up"]);
  });

  test("without having made sure that it is alone leaves its predecessor to be found like any other", () => {
    const { cluster, other, old } = beside();
    cluster.freeze(old);
    cluster.run(5_000);
    cluster.start("web", { replaces: false });
    cluster.run(1_000);
    expect(other.membership.peer(old.id)?.state).toBe("suspect");
    cluster.run(4_000);
    expect(other.membership.downCause(old.id)).toBe("silent");
  });

  test("does not end a live node that merely has its name", () => {
    const { cluster, other, old } = beside();
    cluster.start("web", { replaces: true });
    cluster.run(3_000);
    expect(cluster.of("down", other).filter(({ effect }) => effect.node === old.id)).toEqual([]);
  });
});

describe("two live nodes of one name", () => {
  test("the earlier stays, the later is told to close, wherever they meet", () => {
    const { cluster, other, old } = beside();
    const young = cluster.start("web", { replaces: true });
    cluster.run(200);
    expect(duplicates(cluster, young)).toEqual([old.id]);
    expect(duplicates(cluster, old)).toEqual([]);
    expect(young.membership.deadlineMs).toBeUndefined();
    expect(other.up).toEqual([old.id]);
    expect(other.membership.downCause(young.id)).not.toBe("silent");
  });

  test("started together: one of them stays", () => {
    const cluster = new Cluster();
    const first = cluster.start("web", { replaces: true });
    const second = cluster.start("web", { replaces: true });
    cluster.run(1_000);
    expect([duplicates(cluster, first).length, duplicates(cluster, second).length]).toEqual([0, 1]);
  });

  test("found when a partition heals: the earlier stays and is up everywhere again", () => {
    const cluster = new Cluster();
    const left = cluster.start("left");
    const right = cluster.start("right");
    const old = cluster.start("web");
    cluster.run(1_500);
    const side = new Set([left, old]);
    cluster.reaches = (from, to) => side.has(from) === side.has(to);
    cluster.run(12_000);
    const young = cluster.start("web", { replaces: true });
    cluster.run(3_000);
    expect(right.up).toEqual([young.id]);
    cluster.happenings.length = 0;
    cluster.reaches = () => true;
    cluster.run(4_000);
    expect(duplicates(cluster, young)).toEqual([old.id]);
    expect(duplicates(cluster, old)).toEqual([]);
    expect(cluster.of("down", left).filter(({ effect }) => effect.node === old.id)).toEqual([]);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("one that was away, and replaced meanwhile, yields to its successor", () => {
    const cluster = new Cluster();
    const others = cluster.startMany(2);
    const old = cluster.start("web");
    cluster.run(1_500);
    cluster.freeze(old);
    cluster.run(9_500);
    const young = cluster.start("web", { replaces: true });
    cluster.run(3_000);
    cluster.happenings.length = 0;
    cluster.thaw(old);
    cluster.run(3_000);
    expect(duplicates(cluster, old)).toEqual([young.id]);
    expect(duplicates(cluster, young)).toEqual([]);
    for (const node of others) {
      expect(node.up).toContain(young.id);
      // While its successor is there nobody lets it in again, not even for a moment.
      expect(cluster.of("up", node)).toEqual([]);
    }
    expect(cluster.disagreements()).toEqual([]);
  });

  test("one that was away yields only to a successor that is still there", () => {
    const cluster = new Cluster();
    cluster.startMany(2);
    const old = cluster.start("web");
    cluster.run(1_500);
    cluster.freeze(old);
    cluster.run(9_500);
    const young = cluster.start("web", { replaces: true });
    cluster.run(3_000);
    cluster.kill(young);
    cluster.run(3_000);
    cluster.thaw(old);
    cluster.run(3_000);
    expect(duplicates(cluster, old)).toEqual([]);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("a word to close that does not echo what this node just said closes nobody", () => {
    const cluster = new Cluster();
    const early = cluster.newId("web");
    const node = cluster.start("web");
    cluster.run(1_000);
    cluster.feed(node, { kind: "message", from: early, message: { kind: "duplicate", echo: 77 } });
    cluster.feed(node, {
      kind: "message",
      from: cluster.newId("web"),
      message: { kind: "duplicate", echo: 1 },
    });
    expect(duplicates(cluster, node)).toEqual([]);
  });

  test("they find each other though messages are lost", () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const cluster = new Cluster(`lossy ${seed}`);
      cluster.link = { delayMs: [1, 40], loss: 0.4 };
      const old = cluster.start("web");
      cluster.run(2_000);
      const young = cluster.start("web", { replaces: true });
      cluster.run(10_000);
      expect([duplicates(cluster, old), duplicates(cluster, young)]).toEqual([[], [old.id]]);
    }
  });
});

describe("the claim of a name", () => {
  const other = new Cluster().newId("web");

  function run(
    claim: NameClaim,
    inputs: readonly [atMs: number, input: NameClaimInput][],
    untilMs: number,
  ): string[] {
    const seen: string[] = [];
    const feed = (input: NameClaimInput, atMs: number): void => {
      for (const effect of claim.step(input, { monotonicMs: atMs, wallMs: 0 }))
        seen.push(`${atMs} ${effect.kind}`);
    };
    const waiting = [...inputs];
    for (;;) {
      const next = waiting[0];
      const deadlineMs = claim.deadlineMs ?? Number.POSITIVE_INFINITY;
      if (next !== undefined && next[0] <= deadlineMs) {
        waiting.shift();
        feed(next[1], next[0]);
      } else if (deadlineMs <= untilMs) {
        feed({ kind: "tick" }, deadlineMs);
      } else {
        return seen;
      }
    }
  }

  test("nobody there, twice: free", () => {
    const seen = run(
      new NameClaim(DEFAULT_TIMES),
      [
        [0, { kind: "start" }],
        [2, { kind: "noResponders" }],
        [4, { kind: "noResponders" }],
      ],
      20_000,
    );
    expect(seen).toEqual(["0 ask", "0 probeName", "2 probeName", "4 free"]);
  });

  test("an answer: taken", () => {
    const claim = new NameClaim(DEFAULT_TIMES);
    claim.step({ kind: "start" }, { monotonicMs: 0, wallMs: 0 });
    const effects = claim.step({ kind: "answer", from: other }, { monotonicMs: 3, wallMs: 0 });
    expect(effects).toEqual([{ kind: "taken", other }]);
    expect(claim.step({ kind: "noResponders" }, { monotonicMs: 4, wallMs: 0 })).toEqual([]);
    expect(claim.deadlineMs).toBeUndefined();
  });

  test("one that is there and says nothing gets as long as any silent node", () => {
    const seen = run(new NameClaim(DEFAULT_TIMES), [[0, { kind: "start" }]], 20_000);
    expect(seen.at(-1)).toBe("8000 free");
    expect(seen.filter((line) => line.endsWith("ask")).length).toBe(80);
  });

  test("silence while the bus is away, or while this node stalls, is no silence", () => {
    const cut = run(
      new NameClaim(DEFAULT_TIMES),
      [
        [0, { kind: "start" }],
        [1, { kind: "noResponders" }],
        [2_000, { kind: "busDisconnected" }],
        [60_000, { kind: "busConnected" }],
        [60_001, { kind: "noResponders" }],
      ],
      67_900,
    );
    expect(cut.some((line) => line.endsWith("free"))).toBe(false);
    const claim = new NameClaim(DEFAULT_TIMES);
    claim.step({ kind: "start" }, { monotonicMs: 0, wallMs: 0 });
    const late = claim.step({ kind: "tick" }, { monotonicMs: 60_000, wallMs: 0 });
    expect(late.map(({ kind }) => kind)).not.toContain("free");
  });

  test("a running node answers for its name, and for no other", () => {
    const cluster = new Cluster();
    const node = cluster.start("web");
    const ask = { kind: "nodeNameAsk" } as const;
    const claimer = cluster.newId("web");
    cluster.feed(node, { kind: "message", from: claimer, message: ask });
    cluster.feed(node, { kind: "message", from: cluster.newId("other"), message: ask });
    expect(cluster.of("send").map(({ effect }) => effect)).toEqual([
      { kind: "send", to: claimer, message: { kind: "nodeNameHeld" } },
    ]);
  });
});
