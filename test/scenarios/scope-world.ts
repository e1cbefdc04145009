import { makeIncarnation, makeNodeId, type NodeId, type Pid } from "../../src/kernel/ids.ts";
import { Value } from "../../src/kernel/value.ts";
import { type Parcel, ScopeNode } from "./scope-node.ts";

type NameKind = "register" | "takeOver" | "transfer";

/** What a process, or the clock or the resolver of one node, does. */
type Command =
  | { readonly kind: NameKind; readonly node: number; readonly name: number; readonly pid: number }
  | { readonly kind: "unregister"; readonly node: number; readonly name: number }
  | { readonly kind: "join" | "leave"; readonly node: number; readonly group: number; readonly pid: number }
  | { readonly kind: "exit" | "beat" | "resolve"; readonly node: number; readonly pid: number };

/** One thing that happens. Numbers choose among what there is, so that every script means something, shrunk ones too. */
export type Happening =
  | Command
  | { readonly kind: "restart"; readonly node: number }
  | { readonly kind: "deliver" | "lose"; readonly link: number; readonly count: number }
  /** What answers a question about missing operations comes once more, right behind itself. */
  | { readonly kind: "repeat"; readonly link: number }
  | { readonly kind: "giveUp" | "greet"; readonly node: number; readonly other: number }
  | { readonly kind: "tick"; readonly ms: number }
  /** So many groups joined at once that a snapshot of them takes several messages. */
  | { readonly kind: "joinMany"; readonly node: number; readonly count: number };

export const NODES = 3;
export const NAMES = ["x", "y", "z"];
export const GROUPS = ["g", "h"];
const PROCESSES = 2;
const ROUND_MS = 310;
/** Well beyond the longest retry of anything. */
const ROUNDS = 120;
const ROUNDS_AFTER = 8;

/** What one node knows, in a form to be compared. */
export interface Tables {
  readonly names: Readonly<Record<string, string | undefined>>;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly logs: Readonly<Record<string, string>>;
}

/** A few scope machines, and all that is under way between them. Each link keeps its order; nothing else is in any. */
export class ScopeWorld {
  nodes: ScopeNode[] = [];
  readonly #links = new Map<string, { readonly from: NodeId; readonly to: NodeId; parcels: Parcel[] }>();
  readonly #dead: NodeId[] = [];
  #nowMs = 1_000;
  #started = 0;

  constructor() {
    for (let index = 0; index < NODES; index += 1) this.nodes.push(this.#start(index));
    this.#round();
    this.#round();
    if (!this.nodes.every((node) => node.mayRegister)) throw new Error("the nodes did not join each other");
  }

  happen(happening: Happening): void {
    switch (happening.kind) {
      case "deliver":
      case "lose":
        this.#take(happening.link, happening.count, happening.kind === "deliver");
        return;
      case "repeat": {
        const parcels = this.#link(happening.link)?.parcels;
        const [first] = parcels ?? [];
        if (first?.kind === "messages" && first.isRepair) parcels?.unshift(first);
        return;
      }
      case "tick":
        this.#nowMs += happening.ms;
        for (const node of this.nodes) node.tick();
        return;
      case "giveUp": {
        const others = [...this.nodes.map(({ id }) => id), ...this.#dead];
        const other = others[happening.other % others.length];
        if (other !== undefined) this.#node(happening.node).giveUp(other);
        return;
      }
      case "greet":
        if (happening.node % NODES !== happening.other % NODES)
          this.#node(happening.node).greet(this.#node(happening.other).id);
        return;
      case "restart":
        this.#restart(happening.node % NODES);
        return;
      case "joinMany": {
        const node = this.#node(happening.node);
        const [pid] = node.pids;
        for (let index = 0; index < happening.count && pid !== undefined; index += 1)
          node.join(`many-${index}`, pid);
        return;
      }
      default:
        this.#command(happening);
    }
  }

  /** Whatever was lost is made up for: everyone meets everyone, all arrives, all clashes are decided. Until nothing changes. */
  comeToRest(): void {
    for (let round = 0; round < ROUNDS && !this.isAtRest(); round += 1) this.#round();
    for (let round = 0; round < ROUNDS_AFTER; round += 1) this.#round();
  }

  isAtRest(): boolean {
    const [first, ...others] = this.nodes.map((node) => JSON.stringify(this.tablesOf(node)));
    return others.every((tables) => tables === first) && this.openWork().length === 0;
  }

  openWork(): string[] {
    return this.nodes.flatMap((node) => {
      const { claims, dockets, decisions, requests } = node.scope.names.sizes;
      const open = claims + dockets + decisions + requests + node.unanswered + node.unresolved.length;
      return open === 0 ? [] : [`${node.id}: ${JSON.stringify({ claims, dockets, decisions, requests })}`];
    });
  }

  tablesOf(node: ScopeNode): Tables {
    const { groups, names } = node.scope;
    const ids = this.nodes.map(({ id }) => id);
    return {
      names: Object.fromEntries(NAMES.map((name) => [name, names.table.whereis(name)?.revision])),
      groups: Object.fromEntries(
        GROUPS.map((group) => [
          group,
          groups
            .members(group)
            .map((member) => `${member.pid} × ${member.joins}`)
            .sort(),
        ]),
      ),
      logs: Object.fromEntries(
        ids.map((id) => [id, `${node.scope.positionOf(id)} ${node.scope.digestOf(id)}`]),
      ),
    };
  }

  /** The groups, as the processes of each node joined and left them. */
  trueGroups(): Tables["groups"] {
    return Object.fromEntries(
      GROUPS.map((group) => [
        group,
        this.nodes
          .flatMap((node) => [...(node.joined.get(group) ?? [])].map(([pid, joins]) => `${pid} × ${joins}`))
          .sort(),
      ]),
    );
  }

  isAlive(pid: Pid): boolean {
    return this.nodes.some((node) => node.pids.includes(pid));
  }

  #command(happening: Command): void {
    const node = this.#node(happening.node);
    switch (happening.kind) {
      case "register":
      case "takeOver":
      case "transfer":
      case "unregister":
        if (node.mayRegister) this.#commandNames(node, happening);
        return;
      case "join":
      case "leave": {
        const pid = node.pids[happening.pid % node.pids.length];
        const group = GROUPS[happening.group % GROUPS.length];
        if (pid !== undefined && group !== undefined) node[happening.kind](group, pid);
        return;
      }
      case "exit": {
        const pid = node.pids[happening.pid % node.pids.length];
        if (pid !== undefined) node.exit(pid);
        node.spawn();
        return;
      }
      case "beat":
        node.beat();
        return;
      case "resolve":
        node.resolveOne();
        return;
    }
  }

  #commandNames(node: ScopeNode, happening: Extract<Command, { kind: NameKind | "unregister" }>): void {
    const name = NAMES[happening.name % NAMES.length] ?? "x";
    if (happening.kind === "unregister") {
      node.command((commands, request) => commands.unregister(request, name, undefined));
      return;
    }
    const pids = this.nodes.flatMap((one) => one.pids);
    const pid = pids[happening.pid % pids.length];
    if (pid === undefined) return;
    node.command((commands, request) => {
      if (happening.kind === "transfer") commands.transfer(request, name, pid);
      else commands.register(request, name, pid, Value.undefined, happening.kind === "takeOver", 0);
    });
  }

  #start(index: number): ScopeNode {
    this.#started += 1;
    const id = makeNodeId(`n${index}`, makeIncarnation(this.#started, [index, this.#started]));
    const node: ScopeNode = new ScopeNode(id, {
      nowMs: () => this.#nowMs,
      post: (to, parcel) => this.#post(id, to, parcel),
      postToAll: (parcel) => {
        for (const other of this.nodes) if (other.id !== id) this.#post(id, other.id, parcel);
      },
    });
    for (let process = 0; process < PROCESSES; process += 1) node.spawn();
    return node;
  }

  /** It is killed, and starts anew. What it had sent still arrives; what was sent to it does not. */
  #restart(index: number): void {
    const killed = this.#node(index);
    for (const link of this.#links.values()) if (link.to === killed.id) link.parcels = [];
    this.#dead.push(killed.id);
    this.nodes[index] = this.#start(index);
  }

  #round(): void {
    this.#nowMs += ROUND_MS;
    const ids = this.nodes.map(({ id }) => id);
    for (const node of this.nodes) {
      for (const id of this.#dead) node.giveUp(id);
      for (const id of ids) if (id !== node.id) node.greet(id);
      while (node.unresolved.length > 0) node.resolveOne();
      node.beat();
      node.tick();
    }
    for (const [key, link] of this.#links) {
      if (!ids.includes(link.from) || !ids.includes(link.to)) this.#links.delete(key);
    }
    for (let moved = true; moved; ) {
      moved = false;
      for (let link = 0; link < this.#links.size; link += 1) moved = this.#take(link, 1, true) || moved;
    }
  }

  #post(from: NodeId, to: NodeId, parcel: Parcel): void {
    const key = `${from}>${to}`;
    const link = this.#links.get(key) ?? { from, to, parcels: [] };
    this.#links.set(key, link);
    link.parcels.push(parcel);
  }

  #take(index: number, count: number, arrives: boolean): boolean {
    const link = this.#link(index);
    const parcels = link?.parcels.splice(0, count) ?? [];
    const to = this.nodes.find(({ id }) => id === link?.to);
    if (link !== undefined && arrives) for (const parcel of parcels) to?.receive(link.from, parcel);
    return parcels.length > 0;
  }

  #link(index: number): { readonly from: NodeId; readonly to: NodeId; parcels: Parcel[] } | undefined {
    return [...this.#links.values()][index % this.#links.size];
  }

  #node(index: number): ScopeNode {
    return this.nodes[index % NODES] as ScopeNode;
  }
}
