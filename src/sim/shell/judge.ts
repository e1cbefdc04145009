import type { Pid } from "../../kernel/ids.ts";
import { fraction, type Random } from "../../kernel/random.ts";
import type { Clash, Verdict } from "../../resolve/types.ts";
import { decide } from "../machine/user-code.ts";
import type { RunRecord } from "./record.ts";
import type { Member } from "./world.ts";

interface Judgement {
  readonly member: Member;
  readonly atMs: number;
  readonly winner: Pid | undefined;
}

/** The user's resolver, in whatever mood the plan has it; and what must hold of how it is called. */
export class Judge {
  readonly #record: RunRecord;
  readonly #random: Random;
  readonly #isRunning: (pid: Pid) => boolean;
  readonly #heard = new Set<Pid>();
  readonly #judged = new Map<string, Judgement>();

  constructor(record: RunRecord, isRunning: (pid: Pid) => boolean) {
    this.#record = record;
    this.#random = record.world.random.fork("user code");
    this.#isRunning = isRunning;
  }

  /** Whether a clash that this process was in has been shown to anybody. */
  hasHeard(pid: Pid): boolean {
    return this.#heard.has(pid);
  }

  /** What is left to chance in the end: equal in equal runs. */
  get unseed(): number {
    return this.#random.u32();
  }

  resolver(member: () => Member): (clash: Clash) => Promise<Verdict> {
    return async (clash) => {
      const { resolver, resolverMs } = this.#record.plan;
      const outcome = decide(resolver, clash, fraction(this.#random));
      this.#note(member(), clash, outcome?.kind === "keep" ? outcome.winner : undefined);
      const [least, most] = resolverMs;
      const ms = least + fraction(this.#random) * (most - least);
      if (ms > 0) await new Promise<void>((resolve) => member().clock.after(ms, resolve));
      if (outcome === undefined) return new Promise<Verdict>(() => {});
      if (outcome.kind === "keep") return { keep: outcome.winner, losers: outcome.losers };
      if (outcome.kind === "none") return { keep: "none", notify: outcome.notify };
      if (resolver === "junk") return { keep: "nobody that was asked about" } as unknown as Verdict;
      throw new Error("a resolver that throws");
    };
  }

  #note(member: Member, clash: Clash, winner: Pid | undefined): void {
    const record = this.#record;
    const { nowMs } = record.world;
    const pids = clash.contenders.map(({ pid }) => pid);
    record.observe(member.name, `judges ${clash.name}: ${pids.join()}`);
    record.mark(`clash shown to a resolver that is ${record.plan.resolver}`);
    record.mark(`a clash of ${Math.min(pids.length, 3)}`);
    for (const pid of pids) this.#heard.add(pid);
    if (record.isCalm) record.fail("no clash without partition or crash", `${clash.name}: ${pids.join()}`);
    if (pids.length < 2) record.fail("a clash has two contenders", `${clash.name}: ${pids.join()}`);
    const key = `${clash.name}: ${clash.contenders.map(({ pid, registeredAt }) => pid + registeredAt).join()}`;
    const former = this.#judged.get(key);
    this.#judged.set(key, { member, atMs: nowMs, winner });
    if (former === undefined) return;
    const excused =
      former.member.state !== "running" ||
      former.winner === undefined ||
      !this.#isRunning(former.winner) ||
      record.wasDisturbed(former.atMs, nowMs);
    if (excused) record.mark("a clash judged again, with cause");
    else record.fail("a clash is judged once", `${key}: at ${former.atMs.toFixed(1)} ms, and again`);
  }
}
