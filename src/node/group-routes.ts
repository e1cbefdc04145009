import { type NodeId, serialOfPid } from "../kernel/ids.ts";
import type { Stream } from "./frame.ts";
import type { GroupReader } from "./machine-types.ts";
import { repeatedStream } from "./message-wire.ts";
import type { LocalProcess } from "./process.ts";
import type { ProcessTable } from "./process-table.ts";
import type { Pump } from "./pump.ts";

/** Groups whose routes are remembered, in one scope. */
const REMEMBERED = 10_000;

/** Where the messages of one group go, as long as no table changes. */
export interface GroupRoute {
  readonly members: number;
  readonly locals: readonly LocalProcess[];
  readonly remotes: readonly NodeId[];
  /** What they travel in when they come from nobody in particular. */
  readonly stream: Stream;
}

interface RememberedRoute extends GroupRoute {
  readonly step: number;
}

/** The routes of the groups of one scope. Looking a group up in the tables costs more than sending a message to it. */
export class GroupRoutes {
  readonly #self: NodeId;
  readonly #scope: string;
  readonly #reader: GroupReader;
  readonly #pump: Pump;
  readonly #processes: ProcessTable;
  readonly #routes = new Map<string, RememberedRoute>();

  constructor(self: NodeId, scope: string, reader: GroupReader, pump: Pump, processes: ProcessTable) {
    this.#self = self;
    this.#scope = scope;
    this.#reader = reader;
    this.#pump = pump;
    this.#processes = processes;
  }

  of(group: string): GroupRoute {
    const known = this.#routes.get(group);
    // Tables change in steps of the machine only.
    return known !== undefined && known.step === this.#pump.steps ? known : this.#look(group, known);
  }

  #look(group: string, known: RememberedRoute | undefined): GroupRoute {
    if (known === undefined && this.#routes.size >= REMEMBERED) this.#routes.clear();
    let members = 0;
    const remotes: NodeId[] = [];
    for (const [node, count] of this.#reader.nodesOf(group)) {
      members += count;
      if (node !== this.#self) remotes.push(node);
    }
    const locals: LocalProcess[] = [];
    for (const pid of this.#reader.pidsOn(group, this.#self)) {
      const process = this.#processes.get(serialOfPid(pid));
      if (process !== undefined) locals.push(process);
    }
    const stream =
      known?.stream ??
      repeatedStream({ kind: "group", scope: this.#scope, group, from: undefined, except: undefined });
    const route = { members, locals, remotes, stream, step: this.#pump.steps };
    this.#routes.set(group, route);
    return route;
  }
}
