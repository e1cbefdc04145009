import type { NameEvent } from "../global/types.ts";
import type { GroupEvent, Member } from "../groups/types.ts";
import type { NodeEvent, NodeView } from "../monitor/types.ts";
import type { StrictHolder, StrictNameEvent } from "../node/strict/types.ts";
import type { Registration } from "../resolve/types.ts";
import type { Feed, Row } from "./feed.ts";
import { toJson } from "./json.ts";

/*
 * The tables that are watched, as the watches of the node tell them: kept beside the feeds, so that a snapshot and the changes
 * after it fit together. Rows are shared with the node's own tables.
 */

/** One event of the timeline. */
export interface Story {
  readonly event: string;
  readonly key: string;
  readonly told: Readonly<Record<string, unknown>>;
}

/** Made when something changes, and shared by all snapshots: thousands may begin at once, after a server was restarted. */
class TableRow<T> implements Row {
  readonly key: string;
  readonly value: T;
  readonly #show: Shown<T>;

  constructor(key: string, value: T, show: Shown<T>) {
    this.key = key;
    this.value = value;
    this.#show = show;
  }

  text(): string {
    return JSON.stringify(this.#show(this.key, this.value));
  }
}

type Shown<T> = (key: string, value: T) => unknown;
const showName: Shown<Registration> = (_name, registration) => shownRegistration(registration);
const showNode: Shown<NodeView> = (_id, node) => shownNode(node);

export type Tell = (story: Story) => void;

export function shownRegistration({ meta, name, node, pid }: Registration) {
  return { name, pid, node, meta: toJson(meta) };
}

export function shownMember(group: string, { joins, meta, node, pid }: Member) {
  return { group, pid, node, meta: toJson(meta), joins };
}

export function shownHolder(name: string, { meta, node, pid, token }: StrictHolder) {
  return { name, pid, node, token: token.toString(), meta: toJson(meta) };
}

export function shownNode({ id, name, scopes, state }: NodeView) {
  return { id, name, state, scopes: [...scopes] };
}

export class NamesTable {
  readonly #rows = new Map<string, TableRow<Registration>>();

  get size(): number {
    return this.#rows.size;
  }

  rows(): Iterable<Row> {
    return this.#rows.values();
  }

  apply(event: NameEvent, feed: Feed, tell: Tell): void {
    switch (event.kind) {
      case "state":
      case "resync":
        this.#rows.clear();
        for (const row of event.registrations) this.#set(row);
        feed.restart();
        return;
      case "registered":
      case "updated": {
        const { registration } = event;
        this.#set(registration);
        this.#append(feed, tell, event.kind, registration.name, shownRegistration(registration));
        return;
      }
      case "unregistered": {
        const { registration, reason } = event;
        this.#rows.delete(registration.name);
        const { name, node, pid } = registration;
        this.#append(feed, tell, event.kind, name, { name, pid, node, reason: toJson(reason) });
        return;
      }
      case "clash": {
        const { contenders, name, verdict } = event;
        const told = {
          name,
          contenders: contenders.map(({ meta, node, pid }) => ({ pid, node, meta: toJson(meta) })),
          verdict: toJson(verdict),
        };
        this.#append(feed, tell, "clash", name, told);
      }
    }
  }

  #set(registration: Registration): void {
    this.#rows.set(registration.name, new TableRow(registration.name, registration, showName));
  }

  #append(feed: Feed, tell: Tell, event: string, key: string, told: Story["told"]): void {
    feed.append({ key, event, text: JSON.stringify(told) });
    tell({ event, key, told });
  }
}

export class GroupsTable {
  readonly #rows = new Map<string, Map<string, TableRow<Member>>>();

  get groups(): number {
    return this.#rows.size;
  }

  get members(): number {
    let members = 0;
    for (const group of this.#rows.values()) members += group.size;
    return members;
  }

  *rows(): Iterable<Row> {
    for (const members of this.#rows.values()) yield* members.values();
  }

  apply(event: GroupEvent, feed: Feed, tell: Tell): void {
    if ("groups" in event) {
      this.#rows.clear();
      for (const [group, members] of event.groups)
        this.#rows.set(group, new Map(members.map((member) => [member.pid, rowOf(group, member)])));
      feed.restart();
      return;
    }
    const { group, member } = event;
    const members = this.#rows.get(group) ?? new Map<string, TableRow<Member>>();
    if (event.kind === "left") members.delete(member.pid);
    else members.set(member.pid, rowOf(group, member));
    if (members.size === 0) this.#rows.delete(group);
    else this.#rows.set(group, members);
    const told =
      event.kind === "left"
        ? { group, pid: member.pid, node: member.node, reason: toJson(event.reason) }
        : shownMember(group, member);
    feed.append({ key: group, event: event.kind, text: JSON.stringify(told) });
    tell({ event: event.kind, key: group, told });
  }
}

function rowOf(group: string, member: Member): TableRow<Member> {
  return new TableRow(group, member, shownMember);
}

export class StrictNamesTable {
  readonly #rows = new Map<string, TableRow<StrictHolder>>();

  get size(): number {
    return this.#rows.size;
  }

  holders(): Iterable<{ readonly key: string; readonly value: StrictHolder }> {
    return this.#rows.values();
  }

  rows(): Iterable<Row> {
    return this.#rows.values();
  }

  apply(event: StrictNameEvent, feed: Feed, tell: Tell): void {
    if ("holders" in event) {
      this.#rows.clear();
      for (const [name, holder] of event.holders)
        this.#rows.set(name, new TableRow(name, holder, shownHolder));
      feed.restart();
      return;
    }
    const { holder, kind, name } = event;
    if (kind === "registered") this.#rows.set(name, new TableRow(name, holder, shownHolder));
    else if (this.#rows.get(name)?.value.token === holder.token) this.#rows.delete(name);
    const told = shownHolder(name, holder);
    feed.append({ key: name, event: kind, text: JSON.stringify(told) });
    tell({ event: kind === "registered" ? "granted" : "ended", key: name, told });
  }
}

export class NodesTable {
  readonly #rows = new Map<string, TableRow<NodeView>>();

  get size(): number {
    return this.#rows.size;
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  hasName(name: string): boolean {
    for (const { value } of this.#rows.values()) if (value.name === name) return true;
    return false;
  }

  count(state: NodeView["state"]): number {
    let count = 0;
    for (const { value } of this.#rows.values()) if (value.state === state) count += 1;
    return count;
  }

  rows(): Iterable<Row> {
    return this.#rows.values();
  }

  apply(event: NodeEvent, feed: Feed, tell: Tell): void {
    if ("nodes" in event) {
      this.#rows.clear();
      for (const node of event.nodes) this.#rows.set(node.id, new TableRow(node.id, node, showNode));
      feed.restart();
      return;
    }
    const { kind, node } = event;
    if (kind === "down") this.#rows.delete(node.id);
    else this.#rows.set(node.id, new TableRow(node.id, node, showNode));
    const told =
      kind === "down" ? { ...shownNode(node), state: "down", reason: toJson(event.reason) } : shownNode(node);
    feed.append({ key: node.id, event: kind, text: JSON.stringify(told) });
    tell({ event: kind, key: node.id, told });
  }
}
