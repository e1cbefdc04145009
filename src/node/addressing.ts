import { InvalidArgumentError, NotLocalError } from "../kernel/errors.ts";
import { isPid, type Pid } from "../kernel/ids.ts";
import { checkText } from "../kernel/text.ts";
import { toPid } from "./arguments.ts";
import type { NodeMachinePort } from "./machine-types.ts";
import type { ProcessTable } from "./process-table.ts";
import { DEFAULT_SCOPE } from "./scope-set.ts";
import type { Address, GroupAddress, NameAddress, PidLike, StrictNameAddress } from "./types.ts";

const AN_ADDRESS = "a pid, a process, { name, scope? } or { strictName, scope? }";
const GROUP_HINT = "; a whole group is reached by multicall, or by publish";

/**
 * The holder of a name as this node knows it, or the pid that was given. Undefined: a name that nobody holds.
 *
 * @param path how messages of errors call it
 */
export function resolveAddress(
  machine: NodeMachinePort,
  to: Exclude<Address, StrictNameAddress>,
  path = "to",
): Pid | undefined {
  if (typeof to === "object" && to !== null && !("pid" in to) && "name" in to) {
    return holderOf(machine, to, path);
  }
  if (isPid(to)) return to;
  if (typeof to === "object" && to !== null && "pid" in to) return toPid(to, path);
  const hint = typeof to === "object" && to !== null && "group" in to ? GROUP_HINT : "";
  throw new InvalidArgumentError(path, to, AN_ADDRESS + hint);
}

/** Undefined: nobody holds it. */
export function holderOf(machine: NodeMachinePort, address: NameAddress, path: string): Pid | undefined {
  const { name, scope } = address;
  for (const key in address) {
    if (key === "name" || key === "scope" || !Object.hasOwn(address, key)) continue;
    const value = address[key as keyof NameAddress];
    throw new InvalidArgumentError(`${path}.${key}`, value, "nothing: an address takes name and scope");
  }
  const scopeName = scope === undefined ? DEFAULT_SCOPE : checkText(scope, `${path}.scope`);
  const reader = machine.names(scopeName);
  if (reader === undefined) throw notOpen(scopeName, path);
  return reader.whereis(checkText(name, `${path}.name`))?.pid;
}

export function membersOf(machine: NodeMachinePort, to: GroupAddress): readonly Pid[] {
  if (typeof to !== "object" || to === null || !("group" in to)) {
    throw new InvalidArgumentError(
      "to",
      to,
      `{ group, scope? } or an array of addresses, each ${AN_ADDRESS}`,
    );
  }
  const scope = to.scope === undefined ? DEFAULT_SCOPE : checkText(to.scope, "to.scope");
  const reader = machine.groups(scope);
  if (reader === undefined) throw notOpen(scope, "to");
  return reader.members(checkText(to.group, "to.group")).map((member) => member.pid);
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

function notOpen(scope: string, path: string): InvalidArgumentError {
  return new InvalidArgumentError(`${path}.scope`, scope, "a scope that this node has opened");
}
