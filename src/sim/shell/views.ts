import type { NameEvent } from "../../global/types.ts";
import type { GroupEvent, Member as GroupMember } from "../../groups/types.ts";
import type { NodeEvent } from "../../monitor/types.ts";
import type { Presence } from "../../node/pubsub/types.ts";
import type { ClusterNode } from "../../node/types.ts";
import { fromMemberMeta, type PresenceEvent, type Presences } from "../../pubsub/presence.ts";
import { endOf, outcomeOf } from "../coverage.ts";
import { differenceOf } from "../difference.ts";
import { TOPICS } from "./generate.ts";
import type { RunRecord } from "./record.ts";
import type { Member } from "./world.ts";

/** What is watched. */
interface Watched {
  readonly node: ClusterNode;
  readonly presence: Presence;
}

/** What those who watch a node have made of the events that they were told. */
export class Views {
  readonly names = new Map<string, string>();
  readonly groups = new Map<string, string>();
  readonly nodes = new Set<string>();
  /** By topic and reference. */
  readonly presences = new Map<string, string>();
  readonly #record: RunRecord;
  readonly #member: Member;

  constructor(
    record: RunRecord,
    member: Member,
    { node, presence }: Watched,
    onNode: (event: NodeEvent) => void,
  ) {
    this.#record = record;
    this.#member = member;
    this.#follow("names", node.names.watch(), (event) => this.#name(event));
    this.#follow("groups", node.groups.watch(), (event) => this.#group(event));
    this.#follow("nodes", node.watchNodes(), (event) => {
      this.#node(event);
      onNode(event);
    });
    for (const topic of TOPICS)
      this.#follow("presences", presence.watch(topic), (event) => this.#presence(topic, event));
  }

  /** That a watcher was told enough to know what the tables hold. */
  compare({ node, presence }: Watched): void {
    const names = new Map([...node.names.list()].map(({ name, pid }) => [name, pid]));
    const groups = new Map(
      node.groups
        .list()
        .flatMap((group) => node.groups.members(group).map((member) => groupEntry(group, member))),
    );
    const nodes = new Map(node.nodes().map(({ id }) => [id, ""]));
    this.#same("names", names, this.names);
    this.#same("groups", groups, this.groups);
    const presences = new Map(TOPICS.flatMap((topic) => saidByMembers(node, topic)));
    this.#same("presences", presences, this.presences);
    // What is listed and what is watched come from one table: so each is held against the members themselves.
    for (const topic of TOPICS) {
      const listed = presence.list(topic);
      const byKey = Object.keys(listed).map(
        (key) => [key, { metas: presence.getByKey(topic, key) }] as const,
      );
      const truth = new Map(saidByMembers(node, topic));
      this.#same("presences, listed", truth, new Map(presenceEntries(topic, listed)));
      this.#same("presences by key", truth, new Map(presenceEntries(topic, Object.fromEntries(byKey))));
    }
    this.#same("nodes", nodes, new Map([...this.nodes].map((id) => [id, ""])));
  }

  #same(what: string, truth: ReadonlyMap<string, string>, seen: ReadonlyMap<string, string>): void {
    const differing = differenceOf(truth, seen);
    if (differing === undefined) return;
    const { key, left, right } = differing;
    this.#record.fail(
      "who watches knows what the tables hold",
      `${what} on ${this.#member.name}: ${key} is ${left}, watched as ${right}`,
    );
  }

  #follow<E extends NameEvent | GroupEvent | NodeEvent | PresenceEvent>(
    what: string,
    events: AsyncIterable<E>,
    apply: (event: E) => void,
  ): void {
    const record = this.#record;
    const read = async (): Promise<void> => {
      let isFirst = true;
      for await (const event of events) {
        if (isFirst !== (event.kind === "state"))
          record.fail("a watch starts with the state", `${what} on ${this.#member.name}: ${event.kind}`);
        isFirst = false;
        record.observe(this.#member.name, `sees ${told(event)}`, what === "nodes" ? "nodeEvent" : "seen");
        apply(event);
      }
    };
    read().catch((error: unknown) => {
      record.observe(this.#member.name, `${what}: the watch ends with ${String(error)}`);
    });
  }

  #name(event: NameEvent): void {
    switch (event.kind) {
      case "state":
      case "resync":
        this.names.clear();
        for (const { name, pid } of event.registrations) this.names.set(name, pid);
        return;
      case "registered":
      case "updated":
        this.names.set(event.registration.name, event.registration.pid);
        return;
      case "unregistered":
        this.#record.mark(`a name ends: ${endOf(event.reason)}`);
        if (this.names.get(event.registration.name) !== event.registration.pid)
          this.#record.fail(
            "only what was registered is unregistered",
            `${event.registration.name} of ${event.registration.pid} on ${this.#member.name}`,
          );
        this.names.delete(event.registration.name);
        return;
      case "clash":
        this.#record.mark(`a verdict is told: ${outcomeOf(event.verdict)}`);
        return;
    }
  }

  #group(event: GroupEvent): void {
    switch (event.kind) {
      case "state":
      case "resync":
        this.groups.clear();
        for (const [group, members] of event.groups)
          for (const member of members) this.groups.set(...groupEntry(group, member));
        return;
      case "joined":
      case "updated":
        this.groups.set(...groupEntry(event.group, event.member));
        return;
      case "left":
        if (!this.groups.delete(groupEntry(event.group, event.member)[0]))
          this.#record.fail("only who joined leaves", `${event.group} on ${this.#member.name}`);
        return;
    }
  }

  #presence(topic: string, event: PresenceEvent): void {
    if (event.kind !== "diff") {
      for (const key of [...this.presences.keys()])
        if (key.startsWith(`${topic} `)) this.presences.delete(key);
      for (const entry of presenceEntries(topic, event.presences)) this.presences.set(...entry);
      return;
    }
    const joins = presenceEntries(topic, event.joins);
    const leaves = presenceEntries(topic, event.leaves);
    if (joins.length > 0 && leaves.length > 0) this.#record.mark("a diff of joins and leaves");
    if (leaves.length > 1) this.#record.mark("a diff of several leaves");
    for (const [key, entry] of joins) {
      if (this.presences.has(key))
        this.#record.fail("who is there does not join", `${entry} on ${this.#member.name}`);
      this.presences.set(key, entry);
    }
    for (const [key, entry] of leaves) {
      if (!this.presences.delete(key))
        this.#record.fail("only who is there leaves", `${entry} on ${this.#member.name}`);
    }
  }

  #node(event: NodeEvent): void {
    switch (event.kind) {
      case "state":
      case "resync":
        this.nodes.clear();
        for (const { id } of event.nodes) this.nodes.add(id);
        return;
      case "down":
        this.nodes.delete(event.node.id);
        return;
      case "up":
      case "suspect":
        this.nodes.add(event.node.id);
        return;
    }
  }
}

export function groupEntry(group: string, { pid, joins, meta }: GroupMember): [string, string] {
  return [`${group} ${pid}`, `${joins} ${JSON.stringify(meta)}`];
}

export function presenceEntries(topic: string, presences: Presences): readonly [string, string][] {
  return Object.entries(presences).flatMap(([key, { metas }]) =>
    metas.map((meta): [string, string] => [
      `${topic} ${meta.phx_ref}`,
      `${topic} ${key} ${JSON.stringify(meta)}`,
    ]),
  );
}

function saidByMembers(node: ClusterNode, topic: string): readonly [string, string][] {
  return node.groups
    .members(`presence:default:${topic}`)
    .flatMap(({ meta }) => fromMemberMeta(meta))
    .flatMap(({ key, meta }) => presenceEntries(topic, Object.fromEntries([[key, { metas: [meta] }]])));
}

/** An event in a line, for the fingerprint and for readers. */
function told(event: NameEvent | GroupEvent | NodeEvent | PresenceEvent): string {
  const reason = "reason" in event ? `: ${event.reason.kind}` : "";
  if ("registration" in event)
    return `${event.kind} ${event.registration.name} ${event.registration.pid}${reason}`;
  if ("member" in event) return `${event.kind} ${event.group} ${event.member.pid}${reason}`;
  if ("node" in event) return `${event.kind} ${event.node.id}${reason}`;
  if (event.kind === "diff")
    return `diff of ${Object.keys(event.joins).join()} and, gone, ${Object.keys(event.leaves).join()}`;
  return event.kind;
}
