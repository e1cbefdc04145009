import type { NodeId } from "../kernel/ids.ts";
import { type EntryRef, type NameEntry, sameRegistration } from "./name-entry.ts";
import type { Superseded } from "./name-ops.ts";
import type { NameTable } from "./name-table.ts";

/** What this node knows of the others. */
export interface OthersPort {
  readonly table: NameTable;
  isUp(node: NodeId): boolean;
}

/** What a write says of other registrations of its name. */
export interface Superseding {
  /** Some node may still show these, if nothing superseded them. */
  readonly supersedes: readonly Superseded[];
  /** These are over by their own nodes' word, and are superseded no longer. Told once; undefined: none. */
  readonly ended: readonly EntryRef[] | undefined;
}

const NONE: Superseding = { supersedes: [], ended: undefined };

/** What arbiters see standing, what is superseded under the name here, and what is to be taken over. */
export function allOver(
  current: readonly Superseded[],
  known: readonly Superseded[],
  taken: readonly EntryRef[],
): readonly Superseded[] {
  if (known.length + taken.length === 0) return current;
  return [...current, ...known, ...taken.map(({ owner, id }) => ({ owner, id, how: "takenOver" as const }))];
}

/** What a new registration of `self` supersedes: what its former entry did, and what is over since, each once. */
export function unitedWith(
  kept: readonly Superseded[],
  since: readonly Superseded[],
  self: NodeId,
): readonly Superseded[] {
  const over = new Map<string, Superseded>(kept.map((each) => [`${each.owner}:${each.id}`, each]));
  for (const each of since) {
    const key = `${each.owner}:${each.id}`;
    // The loser of a clash is told so, though its winner has been taken over since.
    if (each.owner !== self && (each.how !== "takenOver" || !over.has(key))) over.set(key, each);
  }
  return [...over.values()];
}

/** What an entry supersedes once it takes the place of others that superseded something. */
export function inheriting(entry: NameEntry, others: readonly Superseded[]): readonly Superseded[] {
  const all = [...entry.supersedes];
  for (const ref of others) {
    if (ref.owner !== entry.owner && !all.some((known) => sameRegistration(known, ref))) all.push(ref);
  }
  return all;
}

/** Of what was superseded so far, or has ended: what has to be superseded further on, and what has not. */
export function superseding(port: OthersPort, name: string, before: readonly Superseded[]): Superseding {
  if (before.length === 0) return NONE;
  const supersedes: Superseded[] = [];
  const ended: EntryRef[] = [];
  for (const ref of before) {
    if (ref.how === "ended") {
      ended.push({ owner: ref.owner, id: ref.id });
      continue;
    }
    // With its node down it is over for this one; another may still hear that node, and nothing is known of it there.
    if (!port.isUp(ref.owner)) continue;
    if (port.table.isOpen(ref, name)) supersedes.push(ref);
    else ended.push({ owner: ref.owner, id: ref.id });
  }
  return { supersedes, ended: ended.length === 0 ? undefined : ended };
}
