import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CANARY, MUTANTS } from "../../sim/mutants/all.ts";
import { bundleMutant, mutate } from "../../sim/mutants/bundle.ts";
import { type Finding, hunt } from "../../sim/mutants/hunt.ts";
import { MutantDoesNotApplyError } from "../../sim/mutants/mutant.ts";
import { failuresOf } from "../../sim/mutants/report.ts";
import { SURVIVORS } from "../../sim/mutants/survivors.ts";
import type * as Trial from "../../sim/mutants/trial.ts";

describe("planted bugs", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rollcall-mutants-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("a mutant whose text is gone from the source is an error", async () => {
    const edit = { file: "src/node/machine.ts", find: "there is no such line", replace: "" };
    await expect(bundleMutant({ ...CANARY, edits: [edit] }, "child", folder)).rejects.toThrow(
      MutantDoesNotApplyError,
    );
  });

  test("a mutant whose text occurs twice is an error", async () => {
    const edit = { file: "src/node/machine.ts", find: "this.#now", replace: "" };
    await expect(bundleMutant({ ...CANARY, edits: [edit] }, "child", folder)).rejects.toThrow(
      MutantDoesNotApplyError,
    );
  });

  test("a mutant of a file that the simulator does not use is an error", async () => {
    const edit = { file: "src/cli/demo.ts", find: "import", replace: "import" };
    await expect(bundleMutant({ ...CANARY, edits: [edit] }, "child", folder)).rejects.toThrow();
  });

  test("every mutant applies, and says what is to find it", async () => {
    for (const mutant of [...MUTANTS, ...SURVIVORS]) {
      expect(mutant.by).not.toEqual([]);
      expect((await mutate(mutant)).size).toBeGreaterThan(0);
    }
  });

  test("the canary is found at once", async () => {
    const finding = await hunt(CANARY, folder, { seeds: 1, untilFound: true });
    expect(finding.found).toMatchObject({ seed: expect.any(Number), invariant: "no machine throws" });
    expect(failuresOf(finding)).toEqual([]);
  });

  test.each(MUTANTS.filter(({ plan }) => plan !== undefined))(
    "$name: its regression plan fails with it",
    async (mutant) => {
      const plan = await readFile(new URL(`../../sim/regressions/${mutant.plan}`, import.meta.url), "utf8");
      const bundle = await bundleMutant(mutant, "trial", folder);
      const { tryLeasePlan } = (await import(pathToFileURL(bundle).href)) as typeof Trial;
      expect(mutant.by).toContain(tryLeasePlan(plan));
    },
  );

  test("a seed that fails without any mutant is told with the command that runs it", () => {
    const finding: Finding = {
      mutant: CANARY,
      found: undefined,
      failures: new Map(),
      unsound: [7],
      tried: 9,
    };
    expect(failuresOf(finding).at(-1)).toContain("npm run sim -- --tier machine --seed mutants:7");
    const ofLeases: Finding = { ...finding, mutant: { ...CANARY, workload: "leases" } };
    expect(failuresOf(ofLeases).at(-1)).toContain("npm run sim -- --workload leases --seed mutants:7");
  });

  test("what does no harm survives, and what only another invariant finds does not count", async () => {
    const harmless = { ...CANARY, edits: [] };
    expect(failuresOf(await hunt(harmless, folder, { seeds: 1, untilFound: true }))).toHaveLength(1);
    const misnamed = { ...CANARY, by: ["something else"] };
    expect(failuresOf(await hunt(misnamed, folder, { seeds: 1, untilFound: true }))).toHaveLength(1);
  });
});
