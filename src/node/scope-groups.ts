import type { GroupEvent, Member } from "../groups/types.ts";
import { InvalidArgumentError, NotLocalError } from "../kernel/errors.ts";
import { checkNodeId, type NodeId, type Pid } from "../kernel/ids.ts";
import { checkText } from "../kernel/text.ts";
import { Value } from "../kernel/value.ts";
import { checkFunction, checkSignal, toPid, toPids } from "./arguments.ts";
import type { NodeCore } from "./core.ts";
import { GroupMessaging } from "./group-messaging.ts";
import { checkOptions } from "./known-options.ts";
import type { GroupReader } from "./machine-types.ts";
import { MemberPicker } from "./member-picker.ts";
import type { Groups, PickStrategy, PidLike, PublishOptions, WatchIterator, WatchOptions } from "./types.ts";
import { WatchHub } from "./watch-hub.ts";

/** The groups of one scope, for users: it checks what they give, and tells the machine. */
export class ScopeGroups implements Groups {
  readonly #core: NodeCore;
  readonly #scope: string;
  readonly #reader: GroupReader;
  readonly #picker: MemberPicker;
  /** What is published, here and elsewhere. */
  readonly messaging: GroupMessaging;
  /** Those who watch: the effects of the machine go here. */
  readonly hub: WatchHub<GroupEvent>;

  constructor(core: NodeCore, scope: string, reader: GroupReader, onInterest: (watched: boolean) => void) {
    this.#core = core;
    this.messaging = new GroupMessaging(core, scope, reader);
    this.#scope = scope;
    this.#reader = reader;
    this.#picker = new MemberPicker(reader, core.random.fork(`pick:${scope}`));
    this.hub = new WatchHub<GroupEvent>({
      quota: core.watchQuota,
      watchQueue: core.limits.watchQueue,
      snapshot: (kind, group) => ({ kind, groups: reader.snapshot(group) }),
      onInterest,
    });
  }

  join(group: string, pid: PidLike | readonly PidLike[], options?: { readonly meta?: unknown }): void {
    this.#core.checkTakesWork();
    checkText(group, "group");
    const given = toPids(pid);
    // Before the processes are looked at: a getter in it may end one of them.
    const meta = this.#metaOf(checkOptions(options, "join"));
    const pids = this.#local(given, "join");
    if (pids.length === 0) return;
    this.#core.pump.feed({ kind: "join", scope: this.#scope, group, pids, meta });
  }

  leave(group: string, pid: PidLike | readonly PidLike[]): boolean {
    this.#core.checkOpen();
    checkText(group, "group");
    const pids = toPids(pid);
    for (const each of pids) {
      if (!this.#core.processes.isLocal(each)) throw new NotLocalError(each, "leave");
    }
    const members = pids.filter((each) => this.#reader.has(group, each));
    if (members.length === 0) return false;
    this.#core.pump.feed({ kind: "leave", scope: this.#scope, group, pids: members });
    return true;
  }

  update(group: string, pid: PidLike, change: (meta: unknown) => unknown): void {
    this.#core.checkOpen();
    checkText(group, "group");
    const [member] = this.#local([toPid(pid)], "update");
    checkFunction(change, "change", "a function from the present metadata to the new");
    const present = this.#reader.localMembers(group).find((each) => each.pid === member);
    if (present === undefined)
      throw new InvalidArgumentError("pid", member, `a member of the group ${JSON.stringify(group)}`);
    const meta = Value.encode(change(present.meta), this.#core.metadata, "meta");
    this.#core.pump.feed({ kind: "updateMember", scope: this.#scope, group, pid: present.pid, meta });
  }

  members(group: string): readonly Member[] {
    this.#core.checkOpen();
    return this.#reader.members(checkText(group, "group"));
  }

  localMembers(group: string): readonly Member[] {
    this.#core.checkOpen();
    return this.#reader.localMembers(checkText(group, "group"));
  }

  list(): readonly string[] {
    this.#core.checkOpen();
    return this.#reader.list();
  }

  groupsOf(pid: PidLike): readonly string[] {
    this.#core.checkOpen();
    return this.#reader.groupsOf(toPid(pid));
  }

  count(group: string, options?: { readonly node?: NodeId | undefined }): number {
    this.#core.checkOpen();
    const node = checkOptions(options, "count")?.node;
    return this.#reader.count(checkText(group, "group"), node === undefined ? undefined : checkNodeId(node));
  }

  pick(group: string, strategy: PickStrategy = "nearest"): Member | undefined {
    this.#core.checkOpen();
    return this.#picker.pick(checkText(group, "group"), strategy);
  }

  publish(group: string, message: unknown, options?: PublishOptions): number {
    this.#core.checkOpen();
    checkText(group, "group");
    return this.messaging.publish(group, message, checkOptions(options, "publish"));
  }

  watch(group?: string, options?: WatchOptions): WatchIterator<GroupEvent> {
    this.#core.checkOpen();
    const signal = checkSignal(checkOptions(options, "watch")?.signal);
    return this.hub.open(group === undefined ? undefined : checkText(group, "group"), signal);
  }

  /** All of them live processes of this node, or none is taken. */
  #local(pids: readonly Pid[], operation: string): readonly Pid[] {
    for (const each of pids) this.#core.processes.checkLocal(each, operation);
    return pids;
  }

  #metaOf(options: { readonly meta?: unknown } | undefined): Value | undefined {
    if (options === undefined || !("meta" in options) || options.meta === undefined) return undefined;
    return Value.encode(options.meta, this.#core.metadata, "meta");
  }
}
