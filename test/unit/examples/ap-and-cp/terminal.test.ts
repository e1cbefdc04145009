import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { drawComparison, drawTimeline } from "../../../../examples/ap-and-cp/terminal.ts";
import { AVAILABLE, STRICT } from "./cast.ts";

/** So wide that a character of a lane is a fifth of a second: the label takes 8, the note behind it 10. */
const PLAIN = { columns: 68, colour: false };

describe("a timeline in a terminal", () => {
  test("shows two who run at once as X in both lanes, and how long", () => {
    expect(drawTimeline(AVAILABLE, PLAIN)).toEqual([
      "Available names (node.names): both sides go on",
      "",
      "                  cut                 heal",
      "west-1            ┆                   ┆",
      "west-2            ┆         XXXXXXXXXXXXX",
      "                  ───── partition ─────",
      "east-1       ███████████████XXXXXXXXXXXXX█████████████████",
      "two run           ┆         ^^^^^^^^^^^^^                  2,500 ms",
      "nobody            ┆                   ┆                    0 ms",
      "        0 s       2 s       4 s       6 s       8 s",
      "",
      "   1.00 s  east-1 starts",
      "   2.00 s  the network is cut: west-1, west-2 | east-1",
      "   4.00 s  west-2 starts",
      "   6.00 s  the network heals",
      "   6.40 s  the resolver runs, on east-1: east-1 and west-2 met, east-1 stays",
      "   6.50 s  west-2 stops: it lost the name clash",
    ]);
  });

  test("shows tokens, refusals, and a gap however short", () => {
    expect(drawTimeline(STRICT, PLAIN)).toEqual([
      "Strict names (node.strictNames): the majority goes on, alone",
      "",
      "                  cut                 heal",
      "west-1            ┆                   ┆",
      "west-2            ┆         █ token 1795259806252001 █████",
      "                  ───── partition ─────",
      "east-1       ███████████████     ! !  ┆",
      "two run           ┆                   ┆                    0 ms",
      "nobody            ┆        __         ┆                    40 ms",
      "        0 s       2 s       4 s       6 s       8 s",
      "",
      "   1.00 s  east-1 starts, with token 1795259806252000",
      "   2.00 s  the network is cut: west-1, west-2 | east-1",
      "   3.98 s  east-1 stops: it lost its lease",
      "   4.02 s  west-2 starts, with token 1795259806252001",
      "   5.00 s  east-1 is refused, for want of a majority; 2 times in all",
      "   6.00 s  the network heals",
    ]);
  });

  test("hides nothing of two at once behind a token", () => {
    const holdings = STRICT.holdings.map((each) => ({ ...each, toMs: 10_000 }));
    const lanes = drawTimeline({ ...STRICT, holdings }, PLAIN);
    expect(lanes[4]).toBe(`west-2            ┆         ${"X".repeat(30)}`);
    expect(lanes[6]).toBe(`east-1       ${"█".repeat(15)}${"X".repeat(30)}`);
  });

  test("says the same in colour, with what ran at once in red", () => {
    const coloured = drawTimeline(AVAILABLE, { ...PLAIN, colour: true });
    expect(coloured.join("\n")).toContain("\u001b[31mXXXXXXXXXXXXX\u001b[39m");
    const stripped = coloured.map((line) => stripVTControlCharacters(line).trimEnd());
    expect(stripped).toEqual(drawTimeline(AVAILABLE, PLAIN));
  });

  test.each([60, 80, 120])("keeps lanes within %d columns", (columns) => {
    for (const timeline of [AVAILABLE, STRICT]) {
      const lanes = drawTimeline(timeline, { columns, colour: false }).slice(2, 10);
      expect(lanes).toHaveLength(8);
      expect(lanes.filter((line) => line.length > columns)).toEqual([]);
    }
  });

  test("has at its end a table of what was measured", () => {
    expect(drawComparison([AVAILABLE, STRICT])).toEqual([
      "                                 available names           strict names",
      "two ran at once                  2,500 ms                  0 ms",
      "nobody ran                       0 ms                      40 ms",
      "work done twice                  2 of 8 (numbers 5 to 6)   none of 8",
      "work not done                    none of 8                 1 of 8 (number 4)",
      "from the cut to the next start   2,000 ms                  2,020 ms",
      "from the heal to one again       500 ms                    it was never two",
    ]);
  });
});
