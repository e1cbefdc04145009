import { afterEach, beforeEach, expect, test } from "vitest";
import type { Cancel } from "../../src/kernel/clock.ts";
import { SeededRandom } from "../../src/kernel/random.ts";
import type { LeaseLinks, LeaseStore } from "../../src/lease/port.ts";
import { QuorumMachine } from "../../src/lease/quorum/machine.ts";
import type { LeaseEffect, LeaseInput } from "../../src/lease/quorum/types.ts";
import { redisLeases } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { RealClock } from "../support/real-clock.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { RedisStage } from "./redis-stage.ts";

type Outcome = Extract<LeaseEffect, { readonly command: number }>;

/** The quorum machine of one node, over a real store. */
class QuorumNode implements AsyncDisposable {
  readonly owner: string;
  readonly lost: string[] = [];
  readonly #machine: QuorumMachine;
  readonly #links: LeaseLinks;
  readonly #clock = new RealClock();
  readonly #others: ReadonlyMap<string, QuorumNode>;
  readonly #outcomes = new Map<number, (outcome: Outcome) => void>();
  #lastCommand = 0;
  #cancel: Cancel = () => undefined;

  constructor(store: LeaseStore, owner: string, others: ReadonlyMap<string, QuorumNode>) {
    this.owner = owner;
    this.#others = others;
    this.#machine = new QuorumMachine({ owner, servers: store.servers.length, settings: store.settings });
    this.#links = store.open({
      clientName: owner,
      clock: this.#clock,
      random: new SeededRandom(owner),
      onConnected: (server) => this.feed({ kind: "connected", server }),
      onDisconnected: (server) => this.feed({ kind: "disconnected", server }),
      onReply: (server, id, reply) => this.feed({ kind: "reply", server, id, reply }),
      onWarning: () => undefined,
    });
  }

  get reached(): number {
    return this.#machine.quorum(this.#clock.now()).reached;
  }

  feed(input: LeaseInput): void {
    for (const effect of this.#machine.step(input, this.#clock.now())) this.#carryOut(effect);
    this.#cancel();
    const { deadlineMs } = this.#machine;
    if (deadlineMs === undefined) return;
    const delayMs = Math.max(0, deadlineMs - this.#clock.now().monotonicMs);
    this.#cancel = this.#clock.after(delayMs, () => this.feed({ kind: "tick" }));
  }

  acquire(name: string, { wait = false, timeoutMs = 10_000 } = {}): Promise<Outcome> {
    const value = Buffer.from(this.owner);
    return this.#ask((command) => ({ kind: "acquire", command, name, value, wait, timeoutMs }));
  }

  /** Acquires, and must succeed. */
  async take(name: string, options?: { wait?: boolean }): Promise<Extract<Outcome, { kind: "granted" }>> {
    const outcome = await this.acquire(name, options);
    if (outcome.kind !== "granted") throw new Error(`not granted: ${JSON.stringify(outcome)}`);
    return outcome;
  }

  release(name: string, claim: number): Promise<Outcome> {
    return this.#ask((command) => ({ kind: "release", command, name, claim }));
  }

  /** The owner that a lookup tells of. */
  async holder(name: string): Promise<string | undefined> {
    const outcome = await this.#ask((command) => ({ kind: "lookup", command, name, timeoutMs: 10_000 }));
    if (outcome.kind !== "found") throw new Error(`not found: ${JSON.stringify(outcome)}`);
    return outcome.holder === undefined ? undefined : Buffer.from(outcome.holder.value).toString();
  }

  holds(name: string, claim: number): boolean {
    return this.#machine.remainingMs(name, claim, this.#clock.now()) > 0;
  }

  /** Ends without a word to the servers. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    await this.#links.close();
    this.#cancel();
  }

  #ask(input: (command: number) => LeaseInput): Promise<Outcome> {
    this.#lastCommand += 1;
    const command = this.#lastCommand;
    return new Promise((resolve) => {
      this.#outcomes.set(command, resolve);
      this.feed(input(command));
    });
  }

  #carryOut(effect: LeaseEffect): void {
    switch (effect.kind) {
      case "send":
        this.#links.send(effect.server, effect.id, effect.request);
        return;
      case "lost":
        this.lost.push(effect.name);
        return;
      case "passOn": {
        const { name, owner } = effect;
        this.#clock.endOfTurn(() => this.#others.get(owner)?.feed({ kind: "yourTurn", name }));
        return;
      }
      case "ask": {
        const { owner, question } = effect;
        const other = this.#others.get(owner);
        this.#clock.endOfTurn(() => {
          if (other !== undefined)
            this.feed({ kind: "answer", question, holds: other.#machine.holds(effect, this.#clock.now()) });
        });
        return;
      }
      case "warning":
        return;
      default:
        this.#outcomes.get(effect.command)?.(effect);
        this.#outcomes.delete(effect.command);
    }
  }
}

const TTL_MS = 2_000;
const SLOW = { withinMs: 20_000 };

let stage: RedisStage;
let servers: readonly RedisServer[];
let nodes: Map<string, QuorumNode>;
beforeEach(async () => {
  stage = new RedisStage();
  servers = [await stage.server(), await stage.server(), await stage.server()];
  nodes = new Map();
});
afterEach(async () => {
  for (const node of nodes.values()) await node[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

/** Nodes that reach all servers. */
async function start(...owners: readonly string[]): Promise<readonly QuorumNode[]> {
  const store = redisLeases(urls(), { ttlMs: TTL_MS });
  const started = owners.map((owner) => {
    const node = new QuorumNode(store, owner, nodes);
    nodes.set(owner, node);
    return node;
  });
  await eventually(() => started.every(({ reached }) => reached === servers.length), SLOW);
  return started;
}

test("a name outlives one server, whose successor comes back empty and takes part again; tokens go up", async () => {
  const [a, b] = (await start("a", "b")) as [QuorumNode, QuorumNode];
  const first = await a.take("x");
  expect(await b.acquire("x")).toMatchObject({ kind: "refused", refusal: { kind: "taken" } });
  await servers[0]?.kill();
  await eventually(() => a.reached === 2, SLOW);
  expect(await b.holder("x")).toBe("a");
  await servers[0]?.run();
  const operator = stage.peer(redisLeases(urls(), { ttlMs: TTL_MS }), "operator");
  expect(await operator.askAgain(0, { kind: "status" })).toMatchObject({ kind: "guarded", empty: true });
  await eventually(async () => (await operator.askAgain(0, { kind: "status" })).kind === "ready", SLOW);
  await eventually(() => a.reached === 3 && b.reached === 3, SLOW);
  expect(a.holds("x", first.claim)).toBe(true);
  expect(a.lost).toEqual([]);
  await servers[1]?.kill();
  await a.release("x", first.claim);
  const second = await b.take("x");
  expect(second.token).toBeGreaterThan(first.token);
  expect(await a.holder("x")).toBe("b");
});

test("without a majority a name is lost in time, and nobody gets it before", async () => {
  const [a, b] = (await start("a", "b")) as [QuorumNode, QuorumNode];
  const { claim } = await a.take("x");
  for (const server of servers.slice(0, 2)) server.signal("SIGSTOP");
  const late = b.acquire("x", { timeoutMs: 20_000 });
  await eventually(() => a.lost.includes("x"), SLOW);
  expect(a.holds("x", claim)).toBe(false);
  expect((await late).kind).toBe("refused");
  for (const server of servers.slice(0, 2)) server.signal("SIGCONT");
  await eventually(() => b.reached === 3, SLOW);
  await b.take("x");
});

test("who waits in line is served in order, and one that has died is passed over", async () => {
  const [a, b, c, d] = (await start("a", "b", "c", "d")) as [QuorumNode, QuorumNode, QuorumNode, QuorumNode];
  const { claim } = await a.take("x");
  const order: string[] = [];
  const waiting = [];
  for (const node of [b, c, d]) {
    const taken = node.take("x", { wait: true }).then(async (grant) => {
      order.push(node.owner);
      await node.release("x", grant.claim);
    });
    waiting.push(taken);
    // Its ticket is there before the next one's.
    await node.holder("x");
    await eventually(async () => (await placesIn("x")) >= waiting.length);
  }
  await c[Symbol.asyncDispose]();
  nodes.delete("c");
  await a.release("x", claim);
  await Promise.all([waiting[0], waiting[2]]);
  expect(order).toEqual(["b", "d"]);
});

function urls(): readonly string[] {
  return servers.map(({ url }) => url);
}

async function placesIn(name: string): Promise<number> {
  const counts = servers.map((server) => server.ask("ZCARD", `rollcall:{default}:queue:${name}`));
  return Math.min(...((await Promise.all(counts)) as number[]));
}
