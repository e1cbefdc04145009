import type { Feed, Row } from "./feed.ts";
import type { NodesTable, Story } from "./tables.ts";

/** A node that went down, what went with it as far as this node is concerned, and when it was heard again. */
export interface LostNode {
  readonly id: string;
  readonly name: string;
  /** As exits have it. */
  readonly reason: unknown;
  /** ISO 8601, by the calendar of this machine. */
  readonly at: string;
  /** Registrations and memberships that were purged from the tables, over all scopes that are served. */
  readonly names: number;
  readonly members: number;
  /** When a node of its name came up again: itself, or its next incarnation. */
  readonly backAt?: string;
}

interface Purged {
  names: number;
  members: number;
}

/** How many are remembered: the latest. A rolling restart of a large cluster must not be told at length to every new page. */
const MOST = 100;

/**
 * The nodes that went down lately: the tables of the cluster know them no more, and whoever looks now would otherwise not see
 * that there is a partition. Read from the timeline, whose stories come in the order in which the watches told them: a node may be
 * purged before or after it is told to be down.
 */
export class LostNodesTable {
  readonly #rows = new Map<string, LostNode>();
  /** Of nodes that were not told to be down yet. */
  readonly #purged = new Map<string, Purged>();
  readonly #touched = new Set<string>();
  readonly #later: (run: () => void) => void;
  readonly #nodes: Pick<NodesTable, "has" | "hasName">;
  #feed: Pick<Feed, "append"> | undefined;

  /** @param later runs once, at the end of this turn: a purge of many names is told as one change */
  constructor(later: (run: () => void) => void, nodes: Pick<NodesTable, "has" | "hasName">) {
    this.#later = later;
    this.#nodes = nodes;
  }

  *rows(): Iterable<Row> {
    for (const [key, row] of this.#rows) yield { key, text: () => JSON.stringify(row) };
  }

  tellTo(feed: Pick<Feed, "append">): void {
    this.#feed = feed;
  }

  see(table: string, { event, told }: Story, at: string): void {
    if (table === "nodes" && event === "down") this.#down(told, at);
    else if (table === "nodes" && event === "up") this.#up(String(told["name"]), at);
    else if (table === "names" && event === "unregistered") this.#purge(told["reason"], "names");
    else if (table === "groups" && event === "left") this.#purge(told["reason"], "members");
  }

  #down({ id, name, reason }: Story["told"], at: string): void {
    const key = String(id);
    const purged = this.#purged.get(key) ?? { names: 0, members: 0 };
    this.#purged.delete(key);
    // Its next incarnation may have been heard of first.
    const back = this.#nodes.hasName(String(name)) ? { backAt: at } : {};
    // The latest last.
    this.#rows.delete(key);
    this.#rows.set(key, { id: key, name: String(name), reason, at, ...purged, ...back });
    forgetOldest(this.#rows);
    this.#touch(key);
  }

  #up(name: string, at: string): void {
    for (const [id, row] of this.#rows) {
      if (row.name !== name || row.backAt !== undefined) continue;
      this.#rows.set(id, { ...row, backAt: at });
      this.#touch(id);
    }
  }

  #purge(reason: unknown, what: keyof Purged): void {
    const { kind, node } = (reason ?? {}) as { readonly kind?: unknown; readonly node?: unknown };
    if (kind !== "nodeDown") return;
    const id = String(node);
    const row = this.#rows.get(id);
    // While it is there, its down is still to come, and a row that there is tells of an earlier one.
    if (row !== undefined && !this.#nodes.has(id)) {
      this.#rows.set(id, { ...row, [what]: row[what] + 1 });
      this.#touch(id);
      return;
    }
    const purged = this.#purged.get(id) ?? { names: 0, members: 0 };
    purged[what] += 1;
    this.#purged.set(id, purged);
    forgetOldest(this.#purged);
  }

  #touch(id: string): void {
    if (this.#touched.size === 0) this.#later(() => this.#tell());
    this.#touched.add(id);
  }

  #tell(): void {
    for (const id of this.#touched) {
      const row = this.#rows.get(id);
      if (row !== undefined) this.#feed?.append({ key: id, event: "lost", text: JSON.stringify(row) });
    }
    this.#touched.clear();
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= MOST) return;
    map.delete(key);
  }
}
