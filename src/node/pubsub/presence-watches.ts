import type { GroupEvent } from "../../groups/types.ts";
import type { RollcallError } from "../../kernel/errors.ts";
import { fromMemberMeta, type PresenceEvent, PresenceTable } from "../../pubsub/presence.ts";
import type { NodeCore } from "../core.ts";
import type { ScopeGroups } from "../scope-groups.ts";
import type { WatchIterator } from "../types.ts";
import { type Watcher, WatchHub } from "../watch-hub.ts";

/** Those who watch presences. All watchers of one topic share one table, however many they are. */
export class PresenceWatches {
  readonly #core: NodeCore;
  readonly #groups: ScopeGroups;
  readonly #byGroup = new Map<string, WatchedTopic>();

  constructor(core: NodeCore, groups: ScopeGroups) {
    this.#core = core;
    this.#groups = groups;
  }

  open(group: string, signal: AbortSignal | undefined): WatchIterator<PresenceEvent> {
    const known = this.#byGroup.get(group);
    const topic = known ?? this.#begin(group);
    // Else what has changed at this moment would show in the first state, and once more in a diff.
    topic.flush();
    try {
      return topic.hub.open(undefined, signal);
    } catch (error) {
      if (known === undefined) topic.onIdle();
      throw error;
    }
  }

  #begin(group: string): WatchedTopic {
    const { hub } = this.#groups;
    const topic: WatchedTopic = hub.add(group, () => {
      const present = this.#groups.members(group);
      return new WatchedTopic(this.#core, present, () => {
        hub.remove(topic, group);
        this.#byGroup.delete(group);
      });
    });
    this.#byGroup.set(group, topic);
    return topic;
  }
}

class WatchedTopic implements Watcher<GroupEvent> {
  readonly hub: WatchHub<PresenceEvent>;
  /** Nobody watches any more. */
  readonly onIdle: () => void;
  readonly #core: NodeCore;
  readonly #table: PresenceTable;
  #isChanged = false;

  constructor(core: NodeCore, present: ReturnType<ScopeGroups["members"]>, onIdle: () => void) {
    this.onIdle = onIdle;
    this.#core = core;
    this.#table = new PresenceTable(present.map(({ meta, pid }) => [pid, fromMemberMeta(meta)]));
    this.hub = new WatchHub<PresenceEvent>({
      quota: core.watchQuota,
      watchQueue: core.limits.watchQueue,
      snapshot: (kind) => ({ kind, presences: this.#table.presences }),
      onInterest: (watched) => {
        if (!watched) onIdle();
      },
    });
  }

  push(event: GroupEvent): void {
    if (!("member" in event)) return;
    const { meta, pid } = event.member;
    this.#table.set(pid, event.kind === "left" ? [] : fromMemberMeta(meta));
    if (this.#isChanged) return;
    this.#isChanged = true;
    // All that one step brings about is one diff: the end of a node takes thousands along.
    this.#core.pump.afterwards(() => this.flush());
  }

  flush(): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const diff = this.#table.takeDiff();
    if (diff !== undefined) this.hub.emit(undefined, { kind: "diff", ...diff });
  }

  end(error?: RollcallError): void {
    this.flush();
    this.hub.close(error);
  }
}
