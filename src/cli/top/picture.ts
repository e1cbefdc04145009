import type { NodeView } from "../../index.ts";
import { tableLines } from "../output.ts";

/** What `top` shows. */
export interface Snapshot {
  readonly cluster: string;
  readonly atMs: number;
  readonly nodes: readonly (Pick<NodeView, "id" | "name" | "state"> & {
    readonly names: number;
    /** The one that looks. */
    readonly isSelf: boolean;
  })[];
  readonly names: number;
  readonly groups: number;
  readonly members: number;
  /** Since the snapshot before; undefined in the first one. */
  readonly perSecond: Rates | undefined;
  /** The latest last. */
  readonly events: readonly { readonly atMs: number; readonly text: string }[];
}

export interface Rates {
  /** Of names, groups and nodes. */
  readonly changes: number;
  readonly framesIn: number;
  readonly framesOut: number;
}

export interface Line {
  readonly text: string;
  readonly style: "plain" | "heading" | "warning";
}

/** How much of a tall list is given to nodes if there are many events too. */
const EVENT_ROWS = 10;
/** Title, counts, and the headings of nodes and events with a blank line above each. */
const OTHER_ROWS = 6;

/** As many lines, and as long ones, as the terminal has room for. */
export function pictureOf(snapshot: Snapshot, size: { columns: number; rows: number }): readonly Line[] {
  const events = snapshot.events.slice(-Math.max(1, Math.min(EVENT_ROWS, size.rows - OTHER_ROWS - 3)));
  const nodeRows = Math.max(1, size.rows - OTHER_ROWS - events.length);
  const lines: Line[] = [
    { text: titleOf(snapshot), style: "heading" },
    { text: countsOf(snapshot), style: "plain" },
    { text: "", style: "plain" },
    ...nodeLines(snapshot, nodeRows),
  ];
  if (events.length > 0) {
    lines.push({ text: "", style: "plain" }, { text: "LAST EVENTS", style: "heading" });
    for (const { atMs, text } of events) lines.push({ text: `${timeOf(atMs)}  ${text}`, style: "plain" });
  }
  return lines.slice(0, size.rows).map(({ style, text }) => ({ style, text: cut(text, size.columns) }));
}

function titleOf({ atMs, cluster, nodes }: Snapshot): string {
  const suspects = nodes.filter(({ state }) => state === "suspect").length;
  const some = suspects === 0 ? "" : `, ${suspects} suspect`;
  const others = nodes.length - 1;
  return `cluster ${JSON.stringify(cluster)}  ${timeOf(atMs)} UTC  ${others} ${others === 1 ? "node" : "nodes"} beside this one${some}`;
}

function countsOf({ groups, members, names, perSecond }: Snapshot): string {
  const counts = `names ${names}  groups ${groups}  members ${members}`;
  if (perSecond === undefined) return counts;
  const { changes, framesIn, framesOut } = perSecond;
  return `${counts}  changes ${rate(changes)}  frames in ${rate(framesIn)}  out ${rate(framesOut)}`;
}

function nodeLines({ nodes }: Snapshot, room: number): readonly Line[] {
  const shown = nodes.length > room ? nodes.slice(0, Math.max(0, room - 1)) : nodes;
  const rows = shown.map(({ id, isSelf, name, names, state }) => [
    name,
    isSelf ? `${state} (this)` : state,
    String(names),
    id,
  ]);
  const [heading = "", ...texts] = tableLines(["NODE", "STATE", "NAMES", "ID"], rows);
  return [
    { text: heading, style: "heading" },
    ...texts.map(
      (text, index): Line => ({
        text,
        style: shown[index]?.state === "suspect" ? "warning" : "plain",
      }),
    ),
    ...(shown.length < nodes.length
      ? [{ text: `… and ${nodes.length - shown.length} more`, style: "plain" } as const]
      : []),
  ];
}

function rate(perSecond: number): string {
  return `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`;
}

function timeOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice("2000-01-01T".length, "2000-01-01T00:00:00".length);
}

function cut(text: string, columns: number): string {
  const characters = [...text];
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(0, columns - 1)).join("")}…`;
}
