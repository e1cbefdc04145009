import { readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { describe, expect, test } from "vitest";

const folder = new URL("../", import.meta.url).pathname;

/** How many cases the suites have, by section. */
const CASES = { Registry: 22, Locks: 8, "Partitions and conflicts": 10, Groups: 18 };

interface Row {
  readonly section: string;
  readonly words: string;
  readonly suite: string;
  readonly here: string;
}

const rows: readonly Row[] = readFileSync(join(folder, "erlang-cases.md"), "utf8")
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const [title = "", ...lines] = section.split("\n");
    const cells = lines.filter((line) => line.startsWith("| ")).map((line) => line.split(" | "));
    // The head, and the line under it.
    return cells
      .slice(2)
      .map(([words = "", suite = "", here = ""]) => ({ section: title, words, suite, here }));
  });
const cited = rows.flatMap(({ here }) =>
  [...here.matchAll(/`([a-z]+\/[a-z/-]+)`: "([^"]+)"/g)].map(([, file = "", name = ""]) => ({ file, name })),
);

describe("the table of Erlang cases", () => {
  test("has every case of the suites, once", () => {
    const counts = Object.keys(CASES).map((section) => [
      section,
      rows.filter((row) => row.section === section).length,
    ]);
    expect(Object.fromEntries(counts)).toStrictEqual(CASES);
    expect(new Set(rows.map(({ section, words }) => `${section}: ${words}`)).size).toBe(rows.length);
    for (const { suite } of rows) expect(["`global`", "`pg`", "`syn`"]).toContain(suite);
  });

  test("says for each case which test covers it, or why none needs to", () => {
    const silent = rows.filter(({ here }) => !/`: "|^Does not apply: /.test(here));
    expect(silent).toStrictEqual([]);
  });

  test("cites only tests that exist", () => {
    expect(cited.length).toBeGreaterThan(50);
    const missing = cited.filter(
      ({ file, name }) => !readFileSync(join(folder, `${file}.test.ts`), "utf8").includes(`"${name}"`),
    );
    expect(missing).toStrictEqual([]);
  });
});
