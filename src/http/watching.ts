import type { Clock } from "../kernel/clock.ts";
import { NoLeasesError } from "../kernel/errors.ts";
import type { Pid } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { Logger } from "../node/logger.ts";
import type { ClusterNode, Scope, WatchIterator } from "../node/types.ts";
import type { Verdict } from "../resolve/types.ts";
import { Feed, type Rows } from "./feed.ts";
import type { ServiceLimits } from "./limits.ts";
import { LostNodesTable } from "./lost-nodes.ts";
import { ServiceError } from "./problem.ts";
import { secretId } from "./secrets.ts";
import { GroupsTable, NamesTable, NodesTable, type Story, StrictNamesTable } from "./tables.ts";
import { Turns } from "./turns.ts";

export const SCOPED_KINDS = ["names", "strict-names", "groups"] as const;
/** In the order in which a stream of all of them tells them: who is there, then what they have, then what happens. */
export const WATCH_KINDS = ["nodes", "lost-nodes", ...SCOPED_KINDS, "events"] as const;
export type WatchKind = (typeof WATCH_KINDS)[number];

export interface WatchingOptions {
  readonly node: ClusterNode;
  /** Those that clients may use. */
  readonly scopes: readonly Scope[];
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ServiceLimits;
  readonly logger: Logger;
  /** Whether the node has lease servers. */
  readonly isStrict: boolean;
  /** Somebody gave a name back: the process that held it, or anybody for it. */
  readonly onFreed: (pid: Pid, scope: string, name: string) => void;
}

interface ScopeFeeds {
  readonly names: Feed;
  readonly groups: Feed;
  readonly strictNames: Feed;
  readonly namesTable: NamesTable;
  readonly groupsTable: GroupsTable;
  readonly strictTable: StrictNamesTable;
}

/** The tables of the node, each watched once, and a timeline of all that happened to them. */
export class Watching {
  readonly nodes = new NodesTable();
  readonly #options: WatchingOptions;
  readonly #abort = new AbortController();
  /** Of all streams of all feeds. */
  readonly #turns: Turns;
  readonly #scopes = new Map<string, ScopeFeeds>();
  readonly #nodesFeed: Feed;
  readonly #lostNodes: LostNodesTable;
  readonly #lostFeed: Feed;
  readonly #timeline: Feed;
  readonly #counts = new Map<string, number>();
  /** Stories told to the timeline, and streams open. */
  #told = 0;
  #streams = 0;

  constructor(options: WatchingOptions) {
    this.#options = options;
    this.#turns = new Turns(options.clock);
    this.#timeline = this.#feed(() => []);
    this.#nodesFeed = this.#feed(() => this.nodes.rows());
    const { clock, node, scopes } = options;
    this.#lostNodes = new LostNodesTable((run) => clock.endOfTurn(run), this.nodes);
    this.#lostFeed = this.#feed(() => this.#lostNodes.rows());
    this.#lostNodes.tellTo(this.#lostFeed);
    const nodeFeeds = [this.#nodesFeed, this.#lostFeed];
    this.#follow(node.watchNodes({ signal: this.#abort.signal }), nodeFeeds, (event) =>
      this.nodes.apply(event, this.#nodesFeed, (story) => this.#tell("nodes", undefined, story)),
    );
    for (const scope of scopes) this.#scopes.set(scope.scope, this.#watchScope(scope));
  }

  /**
   * Undefined for a scope that clients may not use.
   *
   * @throws ServiceError `DRAINING` once the node has stopped: what its tables say stays as it was then
   */
  feed(kind: WatchKind, scope: string): Feed | undefined {
    const feed = this.#find(kind, scope);
    if (feed?.isOver === true) throw new ServiceError("DRAINING", "the node has stopped: watch another");
    return feed;
  }

  #find(kind: WatchKind, scope: string): Feed | undefined {
    if (kind === "events") return this.#timeline;
    if (kind === "nodes") return this.#nodesFeed;
    if (kind === "lost-nodes") return this.#lostFeed;
    const feeds = this.#scopes.get(scope);
    if (kind === "names") return feeds?.names;
    return kind === "groups" ? feeds?.groups : feeds?.strictNames;
  }

  /**
   * Of all kinds, or undefined for a scope that clients may not use.
   *
   * @throws ServiceError `DRAINING` once the node has stopped
   */
  all(scope: string): ReadonlyMap<string, Feed> | undefined {
    const feeds = new Map<string, Feed>();
    for (const kind of WATCH_KINDS) {
      const feed = this.feed(kind, scope);
      if (feed === undefined) return undefined;
      feeds.set(kind, feed);
    }
    return feeds;
  }

  /** One stream, of one feed or of several. */
  watch(feeds: Iterable<Feed>, wake: () => void, end: () => void): () => void {
    const unwatch = Array.from(feeds, (feed) => feed.watch(wake, end));
    this.#streams += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#streams -= 1;
      for (const each of unwatch) each();
    };
  }

  scope(scope: string): ScopeFeeds | undefined {
    return this.#scopes.get(scope);
  }

  get scopes(): ReadonlyMap<string, ScopeFeeds> {
    return this.#scopes;
  }

  /** By table, event, and why if it ended. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Streams that are open. */
  get watchers(): number {
    return this.#streams;
  }

  /** Ends all streams. */
  stop(): void {
    this.#abort.abort();
    for (const feed of this.#feeds()) feed.end();
  }

  *#feeds(): Iterable<Feed> {
    yield this.#timeline;
    yield this.#nodesFeed;
    yield this.#lostFeed;
    for (const { groups, names, strictNames } of this.#scopes.values()) yield* [names, groups, strictNames];
  }

  #watchScope({ groups, names, scope, strictNames }: Scope): ScopeFeeds {
    const { signal } = this.#abort;
    const namesTable = new NamesTable();
    const groupsTable = new GroupsTable();
    const strictTable = new StrictNamesTable();
    const feeds = {
      namesTable,
      groupsTable,
      strictTable,
      names: this.#feed(() => namesTable.rows()),
      groups: this.#feed(() => groupsTable.rows()),
      strictNames: this.#feed(() => strictTable.rows()),
    };
    // Without lease servers nothing ends the strict names but the end of the others.
    const namesFeeds = this.#options.isStrict ? [feeds.names] : [feeds.names, feeds.strictNames];
    this.#follow(names.watch(undefined, { signal }), namesFeeds, (event) => {
      namesTable.apply(event, feeds.names, (story) => this.#tell("names", scope, story));
      if (event.kind === "unregistered" && event.reason.kind === "released")
        this.#options.onFreed(event.registration.pid, scope, event.registration.name);
    });
    this.#follow(groups.watch(undefined, { signal }), [feeds.groups], (event) =>
      groupsTable.apply(event, feeds.groups, (story) => this.#tell("groups", scope, story)),
    );
    if (this.#options.isStrict)
      this.#follow(strictNames.watch(undefined, { signal }), [feeds.strictNames], (event) =>
        strictTable.apply(event, feeds.strictNames, (story) => this.#tell("strict-names", scope, story)),
      );
    return feeds;
  }

  #feed(rows: Rows): Feed {
    const { clock, limits, random } = this.#options;
    return new Feed({
      rows,
      clock,
      turns: this.#turns,
      capacity: limits.watchLog,
      newEpoch: () => secretId(random),
    });
  }

  /** @param feeds those that end with it, and the timeline, which would not tell everything any more */
  #follow<T>(watch: WatchIterator<T>, feeds: readonly Feed[], apply: (event: T) => void): void {
    const run = async (): Promise<void> => {
      for await (const event of watch) apply(event);
    };
    // It ends with an error only when the node was closed against its will, of which the node itself tells.
    run()
      .catch((error: unknown) => this.#options.logger.warn({ error }, "a watch of the HTTP service ended"))
      .finally(() => {
        // After the watchers were woken for its last events.
        this.#options.clock.endOfTurn(() => {
          for (const feed of [...feeds, this.#timeline]) feed.end();
        });
      });
  }

  #tell(table: string, scope: string | undefined, story: Story): void {
    const { event, key, told } = story;
    const what = [table, event, detailOf(told)].filter((word) => word !== undefined).join(" ");
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    const at = new Date(this.#options.clock.now().wallMs).toISOString();
    this.#told += 1;
    const number = this.#told;
    const text = JSON.stringify({
      number,
      at,
      table,
      event,
      ...(scope === undefined ? {} : { scope }),
      ...told,
    });
    this.#lostNodes.see(table, story, at);
    this.#timeline.append({ key, event, text });
  }
}

/** Whether the node was given lease servers: nothing else tells. */
export function hasLeases({ strictNames }: Pick<ClusterNode, "strictNames">): boolean {
  try {
    strictNames.whereis("rollcall");
    return true;
  } catch (error) {
    if (error instanceof NoLeasesError) return false;
    throw error;
  }
}

/** Why something ended, or how a clash did: what it is counted by. */
function detailOf({ reason, verdict }: Story["told"]): string | undefined {
  if (verdict !== undefined) return (verdict as Verdict).keep === "none" ? "nobody" : "kept";
  const { cause, kind } = (reason ?? {}) as { readonly cause?: string; readonly kind?: string };
  // What an alarm is about is whether it said goodbye.
  return kind === "nodeDown" ? cause : kind;
}
