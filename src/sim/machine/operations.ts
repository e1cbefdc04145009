import type { Pid } from "../../kernel/ids.ts";
import { Value } from "../../kernel/value.ts";
import type { NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { Operation } from "../plan.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

const META = { name: "metadataBytes", bytes: 8_192 };

/** Does what programs do. What cannot be done, because the node is not there, is left out. */
export class Operations {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  carryOut(operation: Operation): void {
    const node = this.#world.at(operation.node);
    // A process that stands still asks for nothing.
    if (node === undefined || !node.isReady || node.isPaused) return;
    switch (operation.kind) {
      case "register":
      case "takeover":
      case "transfer":
        this.#askForName(node, operation);
        return;
      case "unregister":
        this.#unregister(node, operation);
        return;
      case "update": {
        const revision = node.machine.names(DEFAULT_SCOPE)?.whereis(operation.name)?.revision;
        if (revision === undefined) return;
        const meta = Value.encode(operation.meta, META, "meta");
        const { name } = operation;
        this.#ask(node, (request) => ({
          kind: "updateName",
          request,
          scope: DEFAULT_SCOPE,
          name,
          revision,
          meta,
        }));
        return;
      }
      case "exit": {
        const pid = node.pids[operation.process];
        if (pid !== undefined) node.exit(pid, { kind: "normal" });
        return;
      }
      case "join":
      case "leave":
        this.#joinOrLeave(node, operation);
        return;
      case "updateMember":
        this.#updateMember(node, operation);
        return;
      case "crowd": {
        const { process } = operation;
        for (let index = 0; index < operation.groups; index += 1)
          this.#joinOrLeave(node, { ...operation, kind: "join", group: `crowd ${index}`, process, meta: 0 });
        return;
      }
      case "monitor":
      case "monitorNode":
        this.#watch(node, operation);
        return;
      case "say":
      case "publish":
      case "present":
      case "subscribe":
      case "unsubscribe":
      case "broadcast":
        return;
    }
  }

  #askForName(
    node: SimNode,
    { kind, name, owner, process }: Extract<Operation, { kind: "register" | "takeover" | "transfer" }>,
  ): void {
    const pid = this.#world.at(owner)?.pids[process];
    // The shell of a node that drains takes no new work for its own processes.
    if (pid === undefined || (node.isLeaving && owner === node.place)) return;
    if (kind === "transfer") {
      this.#ask(node, (request) => ({ kind, request, scope: DEFAULT_SCOPE, name, to: pid }));
      return;
    }
    const takeover = kind === "takeover";
    // No two registrations are given the same: so it is seen when one shows what was given to another, or to none.
    const meta = Value.encode(`given ${this.#world.asked.length}`, META, "meta");
    this.#ask(node, (request) => ({
      kind: "register",
      request,
      scope: DEFAULT_SCOPE,
      name,
      pid,
      meta,
      takeover,
      resolver: 0,
    }));
  }

  #unregister(node: SimNode, { name, of }: Extract<Operation, { kind: "unregister" }>): void {
    const pid = of === undefined ? undefined : this.#world.at(of.owner)?.pids[of.process];
    if (of !== undefined && pid === undefined) return;
    this.#ask(node, (request) => ({ kind: "unregister", request, scope: DEFAULT_SCOPE, name, pid }));
  }

  #ask(node: SimNode, make: (request: number) => Extract<NodeInput, { request: number }>): void {
    this.#world.asked.push(node.ask(make));
  }

  #joinOrLeave(node: SimNode, operation: Extract<Operation, { kind: "join" | "leave" }>): void {
    const pids = [operation.process, ...(operation.with ?? [])]
      .map((process) => node.pids[process])
      .filter((pid) => pid !== undefined && node.isRunning(pid)) as Pid[];
    if (pids.length === 0) return;
    const { group } = operation;
    const common = { scope: DEFAULT_SCOPE, group, pids } as const;
    if (operation.kind === "leave") node.feed({ kind: "leave", ...common });
    else if (!node.isLeaving) node.feed({ kind: "join", ...common, meta: metaOf(operation.meta) });
  }

  #updateMember(node: SimNode, operation: Extract<Operation, { kind: "updateMember" }>): void {
    const pid = node.pids[operation.process];
    const { group } = operation;
    if (pid === undefined || node.machine.groups(DEFAULT_SCOPE)?.has(group, pid) !== true) return;
    const meta = Value.encode(operation.meta, META, "meta");
    node.feed({ kind: "updateMember", scope: DEFAULT_SCOPE, group, pid, meta });
  }

  #watch(node: SimNode, operation: Extract<Operation, { kind: "monitor" | "monitorNode" }>): void {
    const { forMs = 0 } = operation;
    let make: (monitor: number) => NodeInput;
    if (operation.kind === "monitorNode") {
      const watched = this.#world.at(operation.watched)?.id;
      if (watched === undefined) return;
      make = (monitor) => ({ kind: "monitorNode", monitor, node: watched });
    } else {
      const owner = this.#world.at(operation.owner);
      const former = operation.former === true ? owner?.formerPids[operation.process] : undefined;
      const pid = former ?? owner?.pids[operation.process];
      if (pid === undefined) return;
      make = (monitor) => ({ kind: "monitor", monitor, pid });
    }
    const monitor = node.monitor(make);
    if (forMs > 0) this.#world.clock.after(forMs, () => node.feed({ kind: "demonitor", monitor }));
  }
}

function metaOf(given: number | undefined): Value | undefined {
  return given === undefined ? undefined : Value.encode(given, META, "meta");
}
