import { expect, test } from "vitest";
import { readOptions, UsageError } from "../../../../examples/ap-and-cp/options.ts";

test("without options it goes on and writes where it likes", () => {
  expect(readOptions([])).toEqual({ once: false, out: undefined });
});

test("takes --once and --out, and --help before all", () => {
  expect(readOptions(["--once", "--out", "there"])).toEqual({ once: true, out: "there" });
  expect(readOptions(["--once", "-h"])).toBeUndefined();
});

test.each([
  [["--twice"], "Unknown option '--twice'"],
  [["--out"], "--out"],
  [["--out="], "--out is empty: it takes a directory"],
  [["--once=yes"], "--once"],
  [["once"], "once"],
])("%j is a wrong call, told with the usage", (argv, words) => {
  const read = (): unknown => readOptions(argv);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(words);
  expect(read).toThrow("Usage: npm run example:ap-and-cp");
});
