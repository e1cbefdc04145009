import { describe, expect, test } from "vitest";
import type { Pid } from "../../../src/kernel/ids.ts";
import { Value } from "../../../src/kernel/value.ts";
import type { NodeEffect } from "../../../src/node/machine-types.ts";
import { MachineCluster, type MachineNode } from "../../support/machine-cluster.ts";

/** Enough that every node arbitrates some. */
const NAMES = Array.from({ length: 30 }, (_, index) => `n${index}`);

/** Longer than a few messages take one after another, and too short for anybody to be suspected. */
const SLOW_MS = 150;

interface Three {
  readonly cluster: MachineCluster;
  readonly nodes: readonly [MachineNode, MachineNode, MachineNode];
  readonly pids: readonly [Pid, Pid, Pid];
}

function three(seed: string): Three {
  const cluster = new MachineCluster({ seed });
  const [a, b, c] = cluster.startMany(["a", "b", "c"]);
  if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
  return { cluster, nodes: [a, b, c], pids: [a.spawn(), b.spawn(), c.spawn()] };
}

function expectNoClash({ cluster, nodes }: Three): void {
  expect(cluster.clashes).toEqual([]);
  for (const node of nodes) {
    expect(node.exits).toEqual([]);
    for (const name of NAMES) expect(node.holder(name)).toBe(nodes[0].holder(name));
    expect(node.machine.counters()["tables.decisions"]).toBe(0);
  }
}

/** Of the message, when it is one that is sent. */
function kindOf(effect: NodeEffect): string {
  return effect.kind === "send" || effect.kind === "broadcast" ? effect.message.kind : effect.kind;
}

function openScope(node: MachineNode, scope: string): number {
  return node.request((request) => ({ kind: "openScope", request, scope, resolver: 0 }));
}

describe("registrations whose news overtakes older news of the same name", () => {
  /** a held the names, and reads late of all that b does, which takes them over now. */
  function takenOver(seed: string): Three {
    const all = three(seed);
    const { cluster, nodes, pids } = all;
    const [a, b] = nodes;
    for (const name of NAMES) a.register(name, pids[0]);
    cluster.run(100);
    cluster.slow(b, a, SLOW_MS);
    for (const name of NAMES) b.register(name, pids[1], { takeover: true });
    cluster.run(20);
    return all;
  }

  // 1. a holds a name; b takes it over. 2. c takes it over from b. 3. a reads of what c wrote before it reads of what b wrote:
  // did c's registration not supersede a's as well, a would see itself beside c.
  test("are no clash when one takeover follows another", () => {
    const all = takenOver("takeovers");
    const { cluster, nodes, pids } = all;
    const [a, , c] = nodes;
    for (const name of NAMES) c.register(name, pids[2], { takeover: true });
    cluster.run(5_000);
    expectNoClash(all);
    for (const name of NAMES) expect([pids[1], pids[2]]).toContain(a.holder(name));
  });

  // 1. a holds a name; b takes it over, and releases it. 2. c registers it: an arbiter knows that it is free. 3. a reads of
  // what c wrote before it reads of what b did.
  test("are no clash when a registration follows a takeover and a release", () => {
    const all = takenOver("release");
    const { cluster, nodes, pids } = all;
    const [, b, c] = nodes;
    for (const name of NAMES) b.unregister(name);
    cluster.run(20);
    for (const name of NAMES) c.register(name, pids[2]);
    cluster.run(5_000);
    expectNoClash(all);
  });
});

describe("a refusal that names no holder", () => {
  // 1. An arbiter refuses those that waited behind a registration. 2. What it reads of that one says that it is over.
  test("lets the name be asked for again, since nobody has it", () => {
    const { cluster, nodes, pids } = three("nobody");
    const [a, b, c] = nodes;
    const asked = NAMES.map((name) => a.register(name, pids[0]));
    for (const arbiter of [b, c]) {
      const stamp = arbiter.machine.stamp(cluster.clock.now());
      const messages = NAMES.map((_, index) => {
        return { kind: "refused", scope: "default", claim: index + 1, holder: undefined } as const;
      });
      a.feed({ kind: "frame", from: arbiter.id, stamp, messages });
    }
    cluster.run(2_000);
    expect(a.machine.counters()["tables.refused"]).toBeGreaterThan(0);
    for (const [index, request] of asked.entries()) {
      expect(a.answers.get(request)?.kind).toBe("registration");
      for (const node of nodes) expect(node.holder(NAMES[index] ?? "")).toBe(pids[0]);
    }
  });
});

describe("a transfer that nobody waits for any more", () => {
  // 1. c has a name of a transferred to b. 2. b has taken it over; its answer is on its way to a. 3. c gives up, or is gone:
  // a gives up too. Had b given the name back then, nobody would have it.
  test("stands, once the name has been taken over", () => {
    const { cluster, nodes, pids } = three("given up");
    const [a, b, c] = nodes;
    for (const name of NAMES) a.register(name, pids[0]);
    cluster.run(100);
    cluster.slow(b, a, SLOW_MS);
    const asked = NAMES.map((name) => c.transfer(name, pids[1]));
    cluster.runUntil(() => NAMES.some((name) => b.holder(name) === pids[1]), 1_000);
    cluster.run(10);
    for (const request of asked) c.feed({ kind: "abandon", request });
    cluster.run(5_000);
    for (const name of NAMES) {
      const holder = a.holder(name);
      expect([pids[0], pids[1]]).toContain(holder);
      for (const node of nodes) expect(node.holder(name)).toBe(holder);
    }
  });
});

describe("a transfer whose holder ends before it is granted", () => {
  // 1. a claims the name for its second process. 2. Its first one, which has it, ends. 3. The claim is granted by b, which has
  // not heard of that. Nothing is left to be handed on: not the name, and not what was said of it.
  test("finds nothing to hand on, and registers nothing", () => {
    const { cluster, nodes, pids } = three("ended meanwhile");
    const [a, b, c] = nodes;
    const second = a.spawn();
    for (const name of NAMES) a.register(name, pids[0]);
    cluster.run(100);
    cluster.slow(a, b, SLOW_MS);
    cluster.slow(a, c, SLOW_MS);
    for (const name of NAMES) a.transfer(name, second);
    cluster.run(20);
    const handedOn = NAMES.filter((name) => a.holder(name) === second);
    a.exit(pids[0]);
    cluster.run(5_000);
    expect(handedOn.length).toBeLessThan(NAMES.length);
    for (const node of nodes)
      expect(NAMES.filter((name) => node.holder(name) !== undefined)).toEqual(handedOn);
  });
});

describe("what is written in one turn", () => {
  function effectsOf(node: MachineNode, cluster: MachineCluster, names: readonly string[], pid: Pid) {
    const meta = Value.undefined;
    return names.flatMap((name, index) => {
      const common = { request: 1_000 + index, scope: "default", name } as const;
      return node.machine.step(
        { kind: "register", ...common, pid, meta, takeover: false, resolver: 0 },
        cluster.clock.now(),
      );
    });
  }

  test("goes out together, whatever was claimed and granted in between", () => {
    const { cluster, nodes, pids } = three("together");
    const [a] = nodes;
    const effects = effectsOf(a, cluster, NAMES, pids[0]);
    const sent = effects.map(kindOf);
    expect(sent).toContain("claim");
    expect(sent).toContain("answer");
    expect(sent).not.toContain("operations");
    const flushed = a.machine.step({ kind: "flush" }, cluster.clock.now());
    expect(flushed).toMatchObject([{ kind: "broadcast", message: { kind: "operations" } }]);
  });

  test("goes ahead of a claim when it ends a registration", () => {
    const { cluster, nodes, pids } = three("ends first");
    const [a] = nodes;
    for (const name of NAMES) a.register(name, pids[0]);
    cluster.run(100);
    for (const name of NAMES) {
      const released = a.machine.step(
        { kind: "unregister", request: 999, scope: "default", name, pid: undefined },
        cluster.clock.now(),
      );
      const claimed = effectsOf(a, cluster, [name], pids[0]);
      const sent = [...released, ...claimed].map(kindOf);
      const claim = sent.indexOf("claim");
      if (claim >= 0) expect(sent.slice(0, claim)).toContain("operations");
    }
  });
});

describe("an arbiter that has just come", () => {
  // 1. h, which holds names, leaves. 2. p comes, and never meets h. 3. a, which has not heard of h's end, wants the names, and
  // says that it sees h under them: p waits to read of that. 4. a hears of h's end, and sees nothing any more.
  test("does not wait for the log of a node that it will never meet", () => {
    const { cluster, nodes, pids } = three("never met");
    const [h, a, other] = nodes;
    for (const name of NAMES) h.register(name, pids[0]);
    cluster.run(100);
    cluster.slow(h, a, 2 * SLOW_MS);
    h.feed({ kind: "goodbye" });
    h.kill();
    cluster.runUntil(() => !other.machine.isUp(h.id), 1_000);
    const p = cluster.start("p");
    cluster.runUntil(() => a.machine.isUp(p.id), 1_000);
    expect(a.machine.isUp(h.id)).toBe(true);
    const requests = NAMES.map((name) => a.register(name, pids[1]));
    cluster.run(1_500);
    for (const request of requests) expect(a.answers.get(request)?.kind).toBe("registration");
  });
});

describe("a scope that is being opened", () => {
  // 1. b opens a scope; a, which has it open, is told. 2. a has a process of b take over a name that a holds there. 3. b has
  // not heard of a there yet: as the only node it knows in the scope it would grant the name to itself.
  test("registers no process on behalf of others before this node has joined it", () => {
    const { cluster, nodes, pids } = three("opening");
    const [a, b] = nodes;
    const opened = openScope(a, "s");
    cluster.runUntil(() => a.answers.has(opened), 1_000);
    const ask = (name: string, pid: Pid, takeover: boolean) =>
      a.request((request) => ({
        kind: "register",
        request,
        scope: "s",
        name,
        pid,
        meta: Value.undefined,
        takeover,
        resolver: 0,
      }));
    for (const name of NAMES) ask(name, pids[0], false);
    cluster.run(100);
    cluster.slow(a, b, SLOW_MS);
    const opening = openScope(b, "s");
    cluster.runUntil(
      () => a.machine.nodes().some((node) => node.id === b.id && node.scopes.includes("s")),
      1_000,
    );
    const requests = NAMES.map((name) => ask(name, pids[1], true));
    cluster.run(5_000);
    expect(b.answers.get(opening)?.kind).toBe("done");
    for (const request of requests) expect(a.answers.get(request)?.kind).toBe("registration");
    expect(cluster.clashes).toEqual([]);
    expect(nodes.flatMap((node) => node.exits)).toEqual([]);
  });

  test("is handed over too when the node retires meanwhile", () => {
    const { cluster, nodes } = three("retiring");
    const [a, b] = nodes;
    openScope(b, "s");
    cluster.run(100);
    const retired = a.request((request) => ({ kind: "retire", request }));
    const opened = openScope(a, "s");
    cluster.run(5_000);
    expect(a.answers.get(opened)?.kind).toBe("done");
    expect(a.answers.get(retired)?.kind).toBe("done");
  });
});

describe("settle", () => {
  // 1. a has c register one of its processes. 2. c is killed. 3. d starts, and never meets c. 4. a, which does not know yet,
  // asks d whether it has applied what c wrote.
  test("does not wait for a node to apply the log of one that it will never meet", () => {
    const { cluster, nodes, pids } = three("settle");
    const [a, , c] = nodes;
    const registered = a.register("x", pids[2]);
    cluster.runUntil(() => a.answers.get(registered)?.kind === "registration", 1_000);
    c.kill();
    const d = cluster.start("d");
    cluster.runUntil(() => a.machine.isUp(d.id), 1_000);
    expect(a.machine.isUp(c.id)).toBe(true);
    const settled = a.request((request) => ({ kind: "settle", request }));
    cluster.runUntil(() => !a.machine.isUp(c.id), 20_000);
    cluster.run(1_000);
    expect(a.answers.get(settled)).toEqual({ kind: "done" });
  });
});

describe("a registration that is given up", () => {
  // 1. a asks c to register one of c's processes. 2. a is cut off, shortly: nobody is found gone. 3. a gives up, and says so
  // to nobody. 4. They meet again: c has, or is only now granted, what nobody waits for.
  test("is withdrawn though the news of it was lost", () => {
    const { cluster, nodes, pids } = three("given up");
    const [a, b, c] = nodes;
    cluster.silent = true;
    const requests = NAMES.map((name) => a.register(name, pids[2]));
    cluster.run(5.5);
    cluster.partition([a], [b, c]);
    const late = requests.filter((request) => a.answers.has(request));
    for (const request of requests) a.feed({ kind: "abandon", request });
    cluster.run(1_000);
    cluster.heal();
    cluster.run(5_000);
    expect(cluster.clashes).toEqual([]);
    for (const node of nodes) {
      for (const name of NAMES) {
        const kept = late.includes(requests[NAMES.indexOf(name)] ?? 0);
        expect(node.holder(name)).toBe(kept ? pids[2] : undefined);
      }
    }
    expect(late.length).toBeLessThan(NAMES.length);
  });

  // The same, but they are cut off for so long that each declares the other down.
  test.each([
    ["was given up before", true],
    ["failed for that", false],
  ])("is withdrawn when nodes meet that took each other for dead, if it %s", (_, givenUp) => {
    const { cluster, nodes, pids } = three("given up long ago");
    const [a, b, c] = nodes;
    cluster.slow(c, a, 500);
    const requests = NAMES.map((name) => a.register(name, pids[2]));
    cluster.run(100);
    expect(NAMES.filter((name) => c.holder(name) === pids[2]).length).toBeGreaterThan(0);
    cluster.partition([a], [b, c]);
    for (const request of givenUp ? requests : []) a.feed({ kind: "abandon", request });
    cluster.runUntil(() => a.machine.nodes().length === 1 && c.machine.nodes().length === 2, 20_000);
    const kept = NAMES.filter((name) => c.holder(name) === pids[2]);
    expect(kept.length).toBeGreaterThan(0);
    const answers = requests.flatMap((request) => a.answers.get(request) ?? []);
    expect(answers.length).toBe(givenUp ? 0 : NAMES.length);
    for (const answer of answers) expect(answer).toMatchObject({ error: { code: "NODE_DOWN" } });
    const [again] = kept;
    if (again === undefined) throw new Error("c registered none");
    c.register(again, pids[2]);
    cluster.slow(c, a, 0);
    cluster.heal();
    cluster.run(20_000);
    expect(cluster.clashes).toEqual([]);
    for (const node of nodes) {
      expect(node.machine.nodes().length).toBe(3);
      // What somebody else has asked for since is not withdrawn from them.
      for (const name of NAMES) expect(node.holder(name)).toBe(name === again ? pids[2] : undefined);
    }
  });
});
