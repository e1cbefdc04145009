// Searches the model of strict names (docs/models) with spin, and fails unless every search comes to what it has to.
// Words on the command line: only runs whose names contain all of them, and the steps of what they find.
import { fileURLToPath } from "node:url";
import { MODEL_RUNS } from "./model-runs.ts";
import { complaintOf, missingPrograms, search } from "./spin.ts";

const MODEL = fileURLToPath(new URL("../docs/models/strict-names.pml", import.meta.url));

const words = process.argv.slice(2);
const runs = MODEL_RUNS.filter(({ name }) => words.every((word) => name.includes(word)));
const missing = missingPrograms();

if (missing.length > 0) {
  console.error(
    `Nothing was checked: ${missing.join(" and ")} not found. On Debian and Ubuntu: sudo apt-get install ${missing.join(" ")}`,
  );
  process.exitCode = 2;
} else if (runs.length === 0) {
  console.error(
    `No run is called ${words.join(" ")}. There are:\n${MODEL_RUNS.map(({ name }) => name).join("\n")}`,
  );
  process.exitCode = 2;
} else {
  process.exitCode = searchAll() ? 0 : 1;
}

function searchAll(): boolean {
  let wrong = 0;
  printRow("run", "found", "states", "steps", "seconds");
  for (const run of runs) {
    const found = search(MODEL, run, words.length > 0);
    const { result, seconds, states, steps } = found;
    printRow(run.name, result, states.toLocaleString("en"), `${steps}`, seconds.toFixed(1));
    for (const step of found.trace) console.log(`  ${step}`);
    const complaint = complaintOf(run, found);
    if (complaint === undefined) continue;
    wrong += 1;
    console.log(`  WRONG: ${complaint} (${run.define.join(" ")})`);
  }
  console.log(wrong === 0 ? `all ${runs.length} as expected` : `${wrong} of ${runs.length} not as expected`);
  return wrong === 0;
}

function printRow(run: string, ...cells: readonly [string, string, string, string]): void {
  const [found, states, steps, seconds] = cells;
  console.log(
    `${run.padEnd(54)}${found.padEnd(14)}${states.padStart(12)}${steps.padStart(7)}${seconds.padStart(9)}`,
  );
}
