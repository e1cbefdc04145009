import type { BusConnection } from "../bus/port.ts";
import { InvariantError, LimitExceededError, type RollcallError } from "../kernel/errors.ts";
import type { Resolver } from "../resolve/types.ts";
import type { NodeCore } from "./core.ts";
import type { ResolverRef } from "./machine-types.ts";
import { ScopeGroups } from "./scope-groups.ts";
import { ScopeNames } from "./scope-names.ts";
import type { ScopeStrictNames } from "./strict/scope-strict-names.ts";
import { Subjects } from "./subjects.ts";
import type { Scope } from "./types.ts";
import type { WaitOptions } from "./waits.ts";

/** One scope that this node has open, or is opening. */
export class OpenScope implements Scope {
  readonly scope: string;
  readonly names: ScopeNames;
  readonly strictNames: ScopeStrictNames;
  readonly groups: ScopeGroups;
  /** What the machine knows its resolver by. */
  readonly resolver: ResolverRef;
  readonly #core: NodeCore;
  #namesWatched = false;
  #groupsWatched = false;

  constructor(core: NodeCore, scope: string, resolver: ResolverRef, strictNames: ScopeStrictNames) {
    const names = core.machine.names(scope);
    const groups = core.machine.groups(scope);
    if (names === undefined || groups === undefined)
      throw new InvariantError(`the machine has opened scope ${scope}`);
    this.#core = core;
    this.scope = scope;
    this.resolver = resolver;
    this.strictNames = strictNames;
    this.names = new ScopeNames(core, scope, names, (watched) => {
      this.#namesWatched = watched;
      this.#tellInterest();
    });
    this.groups = new ScopeGroups(core, scope, groups, (watched) => {
      this.#groupsWatched = watched;
      this.#tellInterest();
    });
  }

  close(error: RollcallError | undefined): void {
    this.names.hub.close(error);
    this.strictNames.hub.close(error);
    this.groups.hub.close(error);
  }

  #tellInterest(): void {
    const { scope } = this;
    this.#core.pump.feed({ kind: "watching", scope, names: this.#namesWatched, groups: this.#groupsWatched });
  }
}

/** The scopes of one node. */
export class Scopes {
  readonly #core: NodeCore;
  readonly #connection: BusConnection;
  readonly #defaultResolver: Resolver;
  readonly #makeStrictNames: (scope: string) => ScopeStrictNames;
  readonly #open = new Map<string, OpenScope>();
  readonly #hashes = new Set<string>();

  constructor(
    core: NodeCore,
    connection: BusConnection,
    defaultResolver: Resolver,
    makeStrictNames: (scope: string) => ScopeStrictNames,
  ) {
    this.#core = core;
    this.#makeStrictNames = makeStrictNames;
    this.#connection = connection;
    this.#defaultResolver = defaultResolver;
  }

  get(scope: string): OpenScope | undefined {
    return this.#open.get(scope);
  }

  /** Whether this node listens to a scope, as the scope stands in subjects. */
  hasHash(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /**
   * Opens a scope, or waits until it is open, and takes the resolver.
   *
   * @throws LimitExceededError over `limits.scopes`, and what a wait throws
   */
  async open(scope: string, resolve: Resolver | undefined, wait: WaitOptions): Promise<OpenScope> {
    const { limits, requests, resolvers, subjects, waits } = this.#core;
    // Before anything is set up: a request that is refused would leave it behind, and `limits.scopes` would not count it.
    waits.checkRoom(wait);
    const known = this.#open.get(scope);
    if (known === undefined && this.#open.size >= limits.scopes) {
      throw new LimitExceededError("scopes", limits.scopes, "this node has as many scopes open as it may");
    }
    const resolver = known?.resolver ?? resolvers.add(resolve ?? this.#defaultResolver);
    if (known !== undefined && resolve !== undefined) resolvers.replace(resolver, resolve);
    if (known === undefined) {
      // Before others hear of it, and answer.
      this.#hashes.add(subjects.scopeHash(scope));
      this.#connection.subscribe(Subjects.fromAnyone(subjects.scope(scope)));
    }
    let opened = known;
    await requests.ask(
      wait,
      (request) => ({ kind: "openScope", request, scope, resolver }),
      // At once, for the effects that follow already concern it.
      () => {
        opened ??= new OpenScope(this.#core, scope, resolver, this.#makeStrictNames(scope));
        this.#open.set(scope, opened);
      },
    );
    if (opened === undefined) throw new InvariantError(`scope ${scope} is open`);
    return opened;
  }

  /** Nodes came, went, or opened a scope. */
  membershipChanged(): void {
    for (const scope of this.#open.values()) scope.groups.messaging.membershipChanged();
  }

  close(error: RollcallError | undefined): void {
    for (const scope of this.#open.values()) scope.close(error);
  }
}
