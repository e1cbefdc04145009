import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CANARY, MUTANTS } from "../../sim/mutants/all.ts";
import { bundleMutant, mutate } from "../../sim/mutants/bundle.ts";
import { hunt } from "../../sim/mutants/hunt.ts";
import { MutantDoesNotApplyError } from "../../sim/mutants/mutant.ts";
import { failuresOf } from "../../sim/mutants/report.ts";
import { SURVIVORS } from "../../sim/mutants/survivors.ts";

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

  test("what does no harm survives, and what only another invariant finds does not count", async () => {
    const harmless = { ...CANARY, edits: [] };
    expect(failuresOf(await hunt(harmless, folder, { seeds: 1, untilFound: true }))).toHaveLength(1);
    const misnamed = { ...CANARY, by: ["something else"] };
    expect(failuresOf(await hunt(misnamed, folder, { seeds: 1, untilFound: true }))).toHaveLength(1);
  });
});
