import type { Pid } from "../../kernel/ids.ts";
import { differenceOf } from "../difference.ts";
import { leftHalfDone } from "../nothing-left.ts";
import { TOPICS } from "./generate.ts";
import type { Program, Programs } from "./programs.ts";
import type { RunRecord } from "./record.ts";
import { groupEntry, presenceEntries } from "./views.ts";

/** What its machine came by, by its counters. */
const COUNTED = [
  ["tables.refused", "an arbiter refuses"],
  ["tables.pins", "a winner is pinned"],
  ["tables.snapshots", "a snapshot was taken"],
  ["tables.gaps", "mended: tables.gaps"],
  ["tables.repairs", "mended: tables.repairs"],
  ["monitors.repairs", "mended: monitors.repairs"],
  ["membership.rejoins", "a node was met again"],
  ["membership.refutations", "a suspicion was refuted"],
] as const;

/** When the faults have long been over, all nodes see the same, it is true, and nothing is left half done. */
export function checkRest(record: RunRecord, programs: Programs): void {
  const { present } = record.world;
  for (const { name, state } of present) {
    if (state !== "running") record.fail("every node joins", `${name} is ${state}`);
  }
  const all = programs.all;
  for (const program of all) {
    sameMembership(record, program, all);
    program.views.compare(program);
    nothingLeft(record, program);
  }
  const [first, ...others] = all;
  if (first === undefined) return;
  const [names, groups] = [namesOf(first), groupsOf(first)];
  for (const other of others) {
    same(record, "all nodes agree on the names", first, names, other, namesOf(other));
    same(record, "all nodes agree on the groups", first, groups, other, groupsOf(other));
  }
  for (const other of others) {
    const [here, there] = [presencesOf(first), presencesOf(other)];
    same(record, "all nodes list the same presences", first, here, other, there);
  }
  for (const { name, pid } of first.node.names.list()) {
    if (!programs.isRunning(pid)) record.fail("no name is held by the dead", `${name} by ${pid}`);
  }
  unionOfTheTruth(record, programs, groups);
}

/** After everybody has stopped. */
export function checkNothingLeft(record: RunRecord): void {
  const { clock, network, present } = record.world;
  if (present.length > 0)
    record.fail("every node stops", present.map(({ name, state }) => `${name} is ${state}`).join());
  if (clock.pending > 0) record.fail("a stop leaves no timer", `${clock.pending} are set`);
  if (network.subscriptions > 0)
    record.fail("a stop leaves no subscription", `${network.subscriptions} are left`);
}

function sameMembership(record: RunRecord, { node }: Program, all: readonly Program[]): void {
  const ids = all
    .map((other) => other.node.id)
    .sort()
    .join();
  const seen = node
    .nodes()
    .map(({ id, state }) => (state === "up" ? id : `${id} (${state})`))
    .sort()
    .join();
  if (seen !== ids) record.fail("all nodes find each other", `${node.id} sees ${seen}, of ${ids}`);
}

function nothingLeft(record: RunRecord, { node }: Program): void {
  const stats = node.stats();
  const ofShell = {
    bugs: stats.bugs,
    pendingCalls: stats.pendingCalls,
    pendingRequests: stats.pendingRequests,
    mailboxes: stats.mailboxes,
    malformed: stats.messages.malformed + stats.frames.dropped.malformed,
  };
  const left = Object.entries(ofShell).flatMap(([key, count]) => (count === 0 ? [] : [`${key} is ${count}`]));
  for (const what of [...left, ...leftHalfDone(stats.cluster)])
    record.fail("nothing is left half done", `${what} on ${node.id}`);
  for (const [counter, mark] of COUNTED) if ((stats.cluster[counter] ?? 0) > 0) record.mark(mark);
  if (stats.frames.dropped.replayed > 0) record.mark("a copy of a frame was dropped");
  if (stats.frames.dropped.stale > 0) record.mark("a frame of an earlier connection was dropped");
  if (stats.resolverErrors > 0) record.mark("a resolver failed");
  if (stats.messages.tooEarly > 0) record.mark("a message came too early");
}

function same(
  record: RunRecord,
  what: string,
  first: Program,
  expected: ReadonlyMap<string, string>,
  other: Program,
  found: ReadonlyMap<string, string>,
): void {
  const differing = differenceOf(expected, found);
  if (differing === undefined) return;
  const { key, left, right } = differing;
  record.fail(what, `${key}: ${left} on ${first.node.id}, ${right} on ${other.node.id}`);
}

function unionOfTheTruth(record: RunRecord, programs: Programs, seen: ReadonlyMap<string, string>): void {
  const truth = new Map<string, string>();
  for (const { node } of programs.all) {
    for (const group of node.groups.list()) {
      // Its members stand for the subscribers of their nodes, and are nobody's processes.
      const isTopic = group.startsWith("pubsub:");
      for (const member of node.groups.localMembers(group)) {
        truth.set(...groupEntry(group, member));
        if (!isTopic && !programs.isRunning(member.pid as Pid))
          record.fail("no member is dead", `${member.pid} in ${group}`);
      }
    }
  }
  const differing = differenceOf(seen, truth);
  if (differing === undefined) return;
  const { key, left, right } = differing;
  record.fail("groups are the union of what their nodes say", `${key}: ${left}, in truth ${right}`);
}

function namesOf({ node }: Program): ReadonlyMap<string, string> {
  return new Map(
    [...node.names.list()].map(({ name, pid, meta }) => [name, `${pid} ${JSON.stringify(meta)}`]),
  );
}

function presencesOf({ presence }: Program): ReadonlyMap<string, string> {
  return new Map(TOPICS.flatMap((topic) => presenceEntries(topic, presence.list(topic))));
}

function groupsOf({ node }: Program): ReadonlyMap<string, string> {
  return new Map(
    node.groups.list().flatMap((group) => node.groups.members(group).map((one) => groupEntry(group, one))),
  );
}
