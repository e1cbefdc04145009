import { InvalidArgumentError, NotLocalError } from "../kernel/errors.ts";
import type { Pid } from "../kernel/ids.ts";
import { checkText } from "../kernel/text.ts";
import { toPid } from "./arguments.ts";
import type { NodeMachinePort } from "./machine-types.ts";
import type { ProcessTable } from "./process-table.ts";
import { DEFAULT_SCOPE } from "./scope-set.ts";
import type { Address, GroupAddress, PidLike } from "./types.ts";

/** The holder of a name as this node knows it, or the pid that was given. Undefined: a name that nobody holds. */
export function resolveAddress(machine: NodeMachinePort, to: Address): Pid | undefined {
  if (typeof to === "object" && to !== null && !("pid" in to) && "name" in to) {
    return holderOf(machine, to.name, to.scope);
  }
  return toPid(to, "to");
}

/** Undefined: nobody holds it. */
export function holderOf(machine: NodeMachinePort, name: string, scope: string | undefined): Pid | undefined {
  const scopeName = scope === undefined ? DEFAULT_SCOPE : checkText(scope, "scope");
  const reader = machine.names(scopeName);
  if (reader === undefined) throw notOpen(scopeName);
  return reader.whereis(checkText(name, "name"))?.pid;
}

export function membersOf(machine: NodeMachinePort, to: GroupAddress): readonly Pid[] {
  if (typeof to !== "object" || to === null || !("group" in to)) {
    throw new InvalidArgumentError("to", to, "{ group } or an array of addresses");
  }
  const scope = to.scope === undefined ? DEFAULT_SCOPE : checkText(to.scope, "scope");
  const reader = machine.groups(scope);
  if (reader === undefined) throw notOpen(scope);
  return reader.members(checkText(to.group, "group")).map((member) => member.pid);
}

/** Whom a message says that it is from. Receivers take no node's word for what the processes of others say. */
export function checkFrom(processes: ProcessTable, from: PidLike | undefined): Pid | undefined {
  if (from === undefined) return undefined;
  const pid = toPid(from, "from");
  if (!processes.isLocal(pid)) throw new NotLocalError(pid, "from");
  return pid;
}

/** The name in an address, for an error message. */
export function nameIn(to: Address): string {
  return typeof to === "object" && "name" in to ? to.name : "";
}

function notOpen(scope: string): InvalidArgumentError {
  return new InvalidArgumentError("scope", scope, "a scope that this node has opened");
}
