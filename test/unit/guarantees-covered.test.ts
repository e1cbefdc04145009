import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { expect, test } from "vitest";

const folder = new URL("../real/", import.meta.url).pathname;

const GUARANTEES = [
  ...["A1", "A2", "A3", "A4", "A5"],
  ...["C1", "C2", "C3", "C4", "C5"],
  ...["G1", "G2", "G3"],
  ...["M1", "M2", "M3", "M4"],
  ...["X1", "X2", "X3"],
];

test("each guarantee has a test with real OS processes on a real server, named after the claim", () => {
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n");
  const claims = [...sources.matchAll(/["`]((?:[ACGMX]\d, )*[ACGMX]\d): /g)].flatMap(([, ids = ""]) =>
    ids.split(", "),
  );
  expect(GUARANTEES.filter((id) => !claims.includes(id))).toStrictEqual([]);
});
