import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { complaintOf, type ModelRun, missingPrograms, search } from "../../scripts/spin.ts";

const MODEL = fileURLToPath(new URL("../../docs/models/strict-names.pml", import.meta.url));
const missing = missingPrograms();

/** Small ones. `npm run model` has the others. */
const SOUND: ModelRun = { name: "sound", define: ["ACQUISITIONS=2"], expected: "holds" };
const BROKEN: ModelRun = {
  name: "broken",
  define: ["ACQUISITIONS=2", "NAIVE_SESSION"],
  expected: "isOnlyHolder",
};

// Nobody needs spin to test Rollcall.
describe.skipIf(missing.length > 0)(`the model of strict names (needs spin and gcc)`, () => {
  test("spin finds nothing in what is as it should be", () => {
    const found = search(MODEL, SOUND);
    expect(found.output).toContain("errors: 0");
    expect(complaintOf(SOUND, found)).toBeUndefined();
  });

  test("spin finds two holders where votes and renewals may be of different majorities", () => {
    const found = search(MODEL, BROKEN, true);
    expect(complaintOf(BROKEN, found)).toBeUndefined();
    expect(found.trace.length).toBe(found.steps - 1);
  });
});
