import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { MUTANTS } from "./all.ts";
import { type Finding, hunt } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";
import { failuresOf, toRow, unsoundOf } from "./report.ts";
import { SURVIVORS } from "./survivors.ts";

// Plants every mutant, and fails unless each is found, by an invariant that was named for it, within its seeds.
// `--measure 1000`: tries so many seeds with each in place of that, and prints how many find it.
// `--survivors`: those that were not found when this was written. `--only text`: those with this in their names.
const { values } = parseArgs({
  options: {
    measure: { type: "string" },
    only: { type: "string" },
    survivors: { type: "boolean", default: false },
    parallel: { type: "string", default: "2" },
  },
});
const measured = values.measure === undefined ? undefined : countOf("measure", values.measure);
const parallel = countOf("parallel", values.parallel);
const chosen = (values.survivors ? SURVIVORS : MUTANTS).filter(
  ({ name }) => values.only === undefined || name.includes(values.only),
);
// Else a name that has changed would pass for a mutant that was found.
if (chosen.length === 0) misused(`no mutant has ${JSON.stringify(values.only)} in its name`);
const folder = await mkdtemp(join(tmpdir(), "rollcall-mutants-"));

function countOf(option: string, given: string): number {
  if (/^[1-9]\d{0,6}$/.test(given)) return Number(given);
  return misused(`--${option} is ${JSON.stringify(given)}: a whole number from 1 is right`);
}

function misused(message: string): never {
  console.error(message);
  process.exit(2);
}

async function work(queue: Mutant[], findings: Map<Mutant, Finding>): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const seeds = measured ?? mutant.seeds;
    const finding = await hunt(mutant, folder, { seeds, untilFound: measured === undefined });
    findings.set(mutant, finding);
    console.log(toRow(finding));
  }
}

try {
  console.log(
    "| mutant | found by | at seed | allowed | seeds that find it |\n| --- | --- | ---: | ---: | --- |",
  );
  const queue = [...chosen];
  const findings = new Map<Mutant, Finding>();
  await Promise.all(Array.from({ length: parallel }, () => work(queue, findings)));
  const wrong = [...findings.values()].flatMap((finding) =>
    measured === undefined ? failuresOf(finding) : unsoundOf(finding.unsound, finding.mutant),
  );
  for (const line of new Set(wrong)) console.error(line);
  if (wrong.length > 0) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}
