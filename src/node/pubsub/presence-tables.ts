import type { GroupEvent, Member } from "../../groups/types.ts";
import type { RollcallError } from "../../kernel/errors.ts";
import { PresenceChanges, type PresenceEvent, PresenceTable, Said } from "../../pubsub/presence.ts";
import type { NodeCore } from "../core.ts";
import type { ScopeGroups } from "../scope-groups.ts";
import type { WatchIterator } from "../types.ts";
import { type Watcher, WatchHub } from "../watch-hub.ts";

/**
 * Of how many topics that nobody watches the table is kept, those that were read last. Each takes about as much again as the
 * members of the topic's group; who reads more topics than these in turn has each built anew, at the cost of all its members.
 */
export const KEPT_TABLES = 1_000;

/** The tables of topics that somebody watches or has read: all who do so share one, however many they are. */
export class PresenceTables {
  readonly #core: NodeCore;
  readonly #groups: ScopeGroups;
  readonly #byGroup = new Map<string, TopicTable>();
  /** Those that nobody watches, the one that was read last at the end. */
  readonly #unwatched = new Set<string>();

  constructor(core: NodeCore, groups: ScopeGroups) {
    this.#core = core;
    this.#groups = groups;
  }

  /** Undefined: nobody is there. */
  read(group: string): PresenceTable | undefined {
    const known = this.#byGroup.get(group);
    if (known === undefined && this.#groups.count(group) === 0) return undefined;
    if (known?.isCertain !== true && !this.#isAtRest) return tableOf(this.#groups.members(group));
    const topic = known ?? this.#begin(group);
    if (!topic.isWatched) this.#keep(group, topic);
    return topic.table;
  }

  watch(group: string, signal: AbortSignal | undefined): WatchIterator<PresenceEvent> {
    const topic = this.#byGroup.get(group) ?? this.#begin(group);
    // Else what has changed at this moment would show in the first state, and once more in a diff.
    topic.flush();
    try {
      return topic.hub.open(undefined, signal);
    } catch (error) {
      if (!topic.isWatched) this.#keep(group, topic);
      throw error;
    }
  }

  /**
   * Whoever reads in the middle of a step, as a logger may, gets a table that is not kept; and one that a watch begins there is
   * looked through when the step is over:
   * 1. A process ends in a step; that it has gone is the next input. 2. A reader has a table made, which still has the process.
   * 3. That somebody wants to be told of changes is the input after that, so this one is told to nobody.
   */
  get #isAtRest(): boolean {
    let isAtRest = false;
    this.#core.pump.afterwards(() => {
      isAtRest = true;
    });
    return isAtRest;
  }

  #begin(group: string): TopicTable {
    const topic: TopicTable = this.#groups.hub.add(group, () => {
      const made = new TopicTable(this.#core, tableOf(this.#groups.members(group)), () => {
        if (made.isWatched) this.#unwatched.delete(group);
        else this.#keep(group, made);
      });
      return made;
    });
    this.#byGroup.set(group, topic);
    topic.isCertain = this.#isAtRest;
    if (!topic.isCertain) this.#core.pump.afterwards(() => this.#makeCertain(group, topic));
    return topic;
  }

  #makeCertain(group: string, topic: TopicTable): void {
    // It may have been dropped since, or the node has closed.
    if (topic.isCertain || this.#byGroup.get(group) !== topic) return;
    topic.catchUp(this.#groups.members(group));
  }

  /** Of a topic that nobody watches. One without anybody is not worth it. */
  #keep(group: string, topic: TopicTable): void {
    this.#unwatched.delete(group);
    if (topic.table.isEmpty) {
      this.#drop(group, topic);
      return;
    }
    this.#unwatched.add(group);
    const [longest] = this.#unwatched;
    if (this.#unwatched.size <= KEPT_TABLES || longest === undefined) return;
    this.#unwatched.delete(longest);
    const dropped = this.#byGroup.get(longest);
    if (dropped !== undefined) this.#drop(longest, dropped);
  }

  #drop(group: string, topic: TopicTable): void {
    this.#groups.hub.remove(topic, group);
    this.#byGroup.delete(group);
  }
}

class TopicTable implements Watcher<GroupEvent> {
  readonly table: PresenceTable;
  readonly hub: WatchHub<PresenceEvent>;
  isWatched = false;
  /** Nothing can have happened, since it was made, that it was not told of. */
  isCertain = false;
  readonly #core: NodeCore;
  readonly #changes = new PresenceChanges();
  readonly #onTurn: () => void;

  /** @param onTurn somebody watches now, or nobody any more; or nobody watches, and nobody is there any more */
  constructor(core: NodeCore, table: PresenceTable, onTurn: () => void) {
    this.#core = core;
    this.table = table;
    this.#onTurn = onTurn;
    this.hub = new WatchHub<PresenceEvent>({
      quota: core.watchQuota,
      watchQueue: core.limits.watchQueue,
      // As all have been told so far: what has changed at this moment is in the diff that follows, for this reader, too.
      snapshot: (kind) => ({ kind, presences: this.#changes.undoneIn(this.table).presences }),
      onInterest: (watched) => {
        this.isWatched = watched;
        onTurn();
      },
    });
  }

  push(event: GroupEvent): void {
    if (!("member" in event)) return;
    const { member } = event;
    const before = this.table.set(member.pid, event.kind === "left" ? undefined : new Said(member));
    if (this.isWatched) this.#note(member.pid, before);
    else if (this.table.isEmpty) this.#onTurn();
  }

  /** @param members all that there are: what it has not been told of shows by them */
  catchUp(members: readonly Member[]): void {
    this.isCertain = true;
    const present = new Map(members.map((member) => [member.pid, member]));
    for (const pid of new Set([...this.table.pids, ...present.keys()])) {
      const member = present.get(pid);
      const before = this.table.set(pid, member === undefined ? undefined : new Said(member));
      if (this.isWatched) this.#changes.note(pid, before);
    }
    this.flush();
    if (!this.isWatched && this.table.isEmpty) this.#onTurn();
  }

  flush(): void {
    if (this.#changes.isEmpty) return;
    const diff = this.#changes.take(this.table);
    if (diff !== undefined) this.hub.emit(undefined, { kind: "diff", ...diff });
  }

  end(error?: RollcallError): void {
    this.isCertain = true;
    this.flush();
    this.hub.close(error);
  }

  #note(...change: Parameters<PresenceChanges["note"]>): void {
    const isFirst = this.#changes.isEmpty;
    this.#changes.note(...change);
    // All that one step brings about is one diff: the end of a node takes thousands along.
    if (isFirst) this.#core.pump.afterwards(() => this.flush());
  }
}

function tableOf(members: readonly Member[]): PresenceTable {
  const table = new PresenceTable();
  for (const member of members) table.set(member.pid, new Said(member));
  return table;
}
