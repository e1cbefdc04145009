// Prints what a test run came to, its last line being "N passed, N failed", and fails unless all that ran passed.
import { readFileSync } from "node:fs";
import { type Count, count, type Report } from "./count.ts";

const { passed, failed, skipped, broken } = read(process.argv[2] ?? "");
for (const file of broken) console.log(`failed before or around its tests: ${file}`);
if (skipped > 0) console.log(`${skipped} skipped`);
if (passed + failed === 0) console.log("no test ran");
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

function read(file: string): Count {
  try {
    return count(JSON.parse(readFileSync(file, "utf8")) as Report);
  } catch (error) {
    console.log(`the test runner left no report: ${error instanceof Error ? error.message : error}`);
    return { passed: 0, failed: 0, skipped: 0, broken: [] };
  }
}
