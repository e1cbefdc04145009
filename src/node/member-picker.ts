import type { Member } from "../groups/types.ts";
import { InvalidArgumentError } from "../kernel/errors.ts";
import { hashText, rendezvousWeight } from "../kernel/hash.ts";
import { compareText } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { GroupReader } from "./machine-types.ts";
import type { PickStrategy } from "./types.ts";

/** Groups whose turn is remembered; past that the turns begin anew. */
const TURNS = 10_000;

/** Chooses one member of a group. */
export class MemberPicker {
  readonly #reader: GroupReader;
  readonly #random: Random;
  /** Group → whose turn it is next. */
  readonly #turns = new Map<string, number>();

  constructor(reader: GroupReader, random: Random) {
    this.#reader = reader;
    this.#random = random;
  }

  pick(group: string, strategy: PickStrategy): Member | undefined {
    if (strategy === "nearest")
      return this.#any(this.#reader.localMembers(group)) ?? this.#any(this.#reader.members(group));
    if (strategy === "random") return this.#any(this.#reader.members(group));
    if (strategy === "roundRobin") return this.#next(group);
    if (typeof strategy === "object" && strategy !== null && typeof strategy.hash === "string") {
      return this.#drawnBy(strategy.hash, this.#reader.members(group));
    }
    throw new InvalidArgumentError(
      "strategy",
      strategy,
      `"nearest", "random", "roundRobin" or { hash: string }`,
    );
  }

  #any(members: readonly Member[]): Member | undefined {
    return members.length <= 1 ? members[0] : members[this.#random.u32() % members.length];
  }

  #next(group: string): Member | undefined {
    const members = this.#reader.members(group);
    const turn = this.#turns.get(group) ?? 0;
    if (this.#turns.size >= TURNS) this.#turns.clear();
    this.#turns.set(group, turn + 1);
    return members[turn % members.length];
  }

  /** By rendezvous hashing: when a member comes or goes, only its own keys move; and every node picks the same. */
  #drawnBy(key: string, members: readonly Member[]): Member | undefined {
    const keyHash = hashText(key);
    let best: Member | undefined;
    let bestWeight = -1;
    for (const member of members) {
      const weight = rendezvousWeight(keyHash, hashText(member.pid));
      if (weight < bestWeight) continue;
      if (weight === bestWeight && best !== undefined && compareText(best.pid, member.pid) < 0) continue;
      best = member;
      bestWeight = weight;
    }
    return best;
  }
}
