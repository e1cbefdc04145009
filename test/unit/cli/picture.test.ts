import { expect, test } from "vitest";
import { pictureOf, type Snapshot } from "../../../src/cli/top/picture.ts";
import type { NodeId } from "../../../src/index.ts";

const node = (name: string, state: "up" | "suspect" = "up") => ({
  id: `${name}@1` as NodeId,
  name,
  state,
  names: 2,
  isSelf: name === "me",
});
const snapshot: Snapshot = {
  cluster: "shop",
  atMs: Date.UTC(2024, 0, 1, 12, 34, 56),
  nodes: [node("me"), node("web-1"), node("web-2", "suspect")],
  names: 4,
  groups: 1,
  members: 3,
  perSecond: { changes: 0.5, framesIn: 12.3, framesOut: 0 },
  events: [{ atMs: Date.UTC(2024, 0, 1, 12, 34, 55), text: "+ name billing" }],
};
const textOf = (size: { columns: number; rows: number }, of = snapshot): readonly string[] =>
  pictureOf(of, size).map(({ text }) => text);

test("a picture has nodes, counts, rates and events", () => {
  expect(textOf({ columns: 120, rows: 40 })).toStrictEqual([
    'cluster "shop"  12:34:56 UTC  2 nodes beside this one, 1 suspect',
    "names 4  groups 1  members 3  changes 0.5/s  frames in 12/s  out 0.0/s",
    "",
    "NODE   STATE      NAMES  ID",
    "me     up (this)  2      me@1",
    "web-1  up         2      web-1@1",
    "web-2  suspect    2      web-2@1",
    "",
    "LAST EVENTS",
    "12:34:55  + name billing",
  ]);
  const styles = pictureOf(snapshot, { columns: 120, rows: 40 }).map(({ style }) => style);
  expect(styles.filter((style) => style === "warning")).toHaveLength(1);
});

test("a picture never has more lines, or longer ones, than there is room for", () => {
  const nodes = Array.from({ length: 100 }, (_, index) => node(`a-node-with-a-long-name-${index}`));
  const events = Array.from({ length: 50 }, (_, index) => ({ atMs: index, text: "x".repeat(200) }));
  for (const rows of [1, 5, 10, 24, 50]) {
    for (const columns of [1, 20, 80]) {
      const lines = textOf({ columns, rows }, { ...snapshot, nodes, events });
      expect(lines.length).toBeLessThanOrEqual(rows);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  }
  const lines = textOf({ columns: 80, rows: 24 }, { ...snapshot, nodes, events });
  expect(lines.some((line) => /^… and \d+ more$/.test(line))).toBe(true);
  expect(lines).toContain("LAST EVENTS");
});
