import { InvalidArgumentError } from "./errors.ts";
import { quote } from "./quote.ts";

declare const brand: unique symbol;

/** A string that cannot be mistaken for another kind of string. */
export type Brand<T, B extends string> = T & { readonly [brand]: B };

/** One run of one node: `name@incarnation`. A restarted node has another one. */
export type NodeId = Brand<string, "NodeId">;

/** The address of a process: `name@incarnation/serial`, printable, and valid on every node. */
export type Pid = Brand<string, "Pid">;

/** Nodes are named like hosts, because the name stands in NATS subjects, where permissions can bind it. */
const NODE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$/;

/** Nine base-36 digits of start time, then eight of chance: sorts by age, and never repeats. */
const INCARNATION = /^[0-9a-z]{17}$/;
const TIME_DIGITS = 9;
const CHANCE_DIGITS = 8;

/** Serials count up from 1 on each node. */
const SERIAL = /^[1-9a-z][0-9a-z]{0,10}$/;

export function checkNodeName(name: unknown): string {
  if (typeof name === "string" && NODE_NAME.test(name)) return name;
  throw new InvalidArgumentError(
    "name",
    name,
    "1 to 128 letters, digits, dots, dashes or underscores, a letter or digit first, no dot last",
  );
}

/** @param chance two random 32-bit numbers */
export function makeIncarnation(wallMs: number, chance: readonly [number, number]): string {
  const time = Math.max(0, Math.floor(wallMs)).toString(36).padStart(TIME_DIGITS, "0").slice(-TIME_DIGITS);
  const wide = BigInt(chance[0] >>> 0) * 0x1_0000_0000n + BigInt(chance[1] >>> 0);
  return time + wide.toString(36).padStart(CHANCE_DIGITS, "0").slice(-CHANCE_DIGITS);
}

export function makeNodeId(name: string, incarnation: string): NodeId {
  return `${name}@${incarnation}` as NodeId;
}

export function isNodeId(value: unknown): value is NodeId {
  if (typeof value !== "string") return false;
  const at = value.lastIndexOf("@");
  return at > 0 && INCARNATION.test(value.slice(at + 1)) && NODE_NAME.test(value.slice(0, at));
}

export function checkNodeId(value: unknown, path = "node"): NodeId {
  if (isNodeId(value)) return value;
  throw new InvalidArgumentError(
    path,
    value,
    "a node id, such as the `id` of a node or of a member of `nodes()`",
  );
}

export function nameOfNode(node: NodeId): string {
  return node.slice(0, node.lastIndexOf("@"));
}

export function incarnationOf(node: NodeId): string {
  return node.slice(node.lastIndexOf("@") + 1);
}

export function makePid(node: NodeId, serial: number): Pid {
  return `${node}/${serial.toString(36)}` as Pid;
}

export function isPid(value: unknown): value is Pid {
  if (typeof value !== "string") return false;
  const slash = value.lastIndexOf("/");
  return slash > 0 && SERIAL.test(value.slice(slash + 1)) && isNodeId(value.slice(0, slash));
}

export function checkPid(value: unknown, path = "pid"): Pid {
  if (isPid(value)) return value;
  throw new InvalidArgumentError(
    path,
    value,
    `a pid or a process, such as node.spawn() gives (not ${quote(value)})`,
  );
}

export function nodeOfPid(pid: Pid): NodeId {
  return pid.slice(0, pid.lastIndexOf("/")) as NodeId;
}

export function serialOfPid(pid: Pid): number {
  return Number.parseInt(pid.slice(pid.lastIndexOf("/") + 1), 36);
}

/** Orders strings by UTF-16 code unit: the same on every machine, whatever its locale. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
