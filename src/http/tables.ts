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
  readonly #rows = new Map<string, Registration>();

  get size(): number {
    return this.#rows.size;
  }

  *rows(): Iterable<Row> {
    for (const [key, row] of this.#rows) yield { key, text: () => JSON.stringify(shownRegistration(row)) };
  }

  apply(event: NameEvent, feed: Feed, tell: Tell): void {
    switch (event.kind) {
      case "state":
      case "resync":
        this.#rows.clear();
        for (const row of event.registrations) this.#rows.set(row.name, row);
        feed.restart();
        return;
      case "registered":
      case "updated": {
        const { registration } = event;
        this.#rows.set(registration.name, registration);
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

  #append(feed: Feed, tell: Tell, event: string, key: string, told: Story["told"]): void {
    feed.append({ key, event, text: JSON.stringify(told) });
    tell({ event, key, told });
  }
}

export class GroupsTable {
  readonly #rows = new Map<string, Map<string, Member>>();

  get groups(): number {
    return this.#rows.size;
  }

  get members(): number {
    let members = 0;
    for (const group of this.#rows.values()) members += group.size;
    return members;
  }

  *rows(): Iterable<Row> {
    for (const [group, members] of this.#rows) {
      for (const member of members.values())
        yield { key: group, text: () => JSON.stringify(shownMember(group, member)) };
    }
  }

  apply(event: GroupEvent, feed: Feed, tell: Tell): void {
    if ("groups" in event) {
      this.#rows.clear();
      for (const [group, members] of event.groups)
        this.#rows.set(group, new Map(members.map((member) => [member.pid, member])));
      feed.restart();
      return;
    }
    const { group, member } = event;
    const members = this.#rows.get(group) ?? new Map<string, Member>();
    if (event.kind === "left") members.delete(member.pid);
    else members.set(member.pid, member);
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

export class StrictNamesTable {
  readonly #rows = new Map<string, StrictHolder>();

  get size(): number {
    return this.#rows.size;
  }

  holders(): Iterable<readonly [string, StrictHolder]> {
    return this.#rows;
  }

  *rows(): Iterable<Row> {
    for (const [key, row] of this.#rows) yield { key, text: () => JSON.stringify(shownHolder(key, row)) };
  }

  apply(event: StrictNameEvent, feed: Feed, tell: Tell): void {
    if ("holders" in event) {
      this.#rows.clear();
      for (const [name, holder] of event.holders) this.#rows.set(name, holder);
      feed.restart();
      return;
    }
    const { holder, kind, name } = event;
    if (kind === "registered") this.#rows.set(name, holder);
    else if (this.#rows.get(name)?.token === holder.token) this.#rows.delete(name);
    const told = shownHolder(name, holder);
    feed.append({ key: name, event: kind, text: JSON.stringify(told) });
    tell({ event: kind === "registered" ? "granted" : "ended", key: name, told });
  }
}

export class NodesTable {
  readonly #rows = new Map<string, NodeView>();

  get size(): number {
    return this.#rows.size;
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  hasName(name: string): boolean {
    for (const node of this.#rows.values()) if (node.name === name) return true;
    return false;
  }

  count(state: NodeView["state"]): number {
    let count = 0;
    for (const node of this.#rows.values()) if (node.state === state) count += 1;
    return count;
  }

  *rows(): Iterable<Row> {
    for (const [key, row] of this.#rows) yield { key, text: () => JSON.stringify(shownNode(row)) };
  }

  apply(event: NodeEvent, feed: Feed, tell: Tell): void {
    if ("nodes" in event) {
      this.#rows.clear();
      for (const node of event.nodes) this.#rows.set(node.id, node);
      feed.restart();
      return;
    }
    const { kind, node } = event;
    if (kind === "down") this.#rows.delete(node.id);
    else this.#rows.set(node.id, node);
    const told =
      kind === "down" ? { ...shownNode(node), state: "down", reason: toJson(event.reason) } : shownNode(node);
    feed.append({ key: node.id, event: kind, text: JSON.stringify(told) });
    tell({ event: kind, key: node.id, told });
  }
}
