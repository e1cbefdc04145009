/** One place of the source, as it is and as the mutant has it. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** A bug planted on purpose: the simulator must find it. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** No bugs: they bring about what the bug needs to show, and the core must be sound with them alone. */
  readonly given?: readonly Edit[] | undefined;
  /** What is simulated. Default: the cluster. */
  readonly workload?: "leases" | undefined;
  /** The invariants that may find it: another one that does has found something else. */
  readonly by: readonly string[];
  /** A plan that it fails on, in `test/sim/regressions`: the shortest story of how it does harm. */
  readonly plan?: string | undefined;
  /** Within so many seeds: three times what 99 in 100 need at the measured rate. */
  readonly seeds: number;
}

/** The source has changed under a mutant. */
export class MutantDoesNotApplyError extends Error {
  constructor(mutant: string, { file, find }: Edit, times: number) {
    super(
      `mutant "${mutant}" no longer applies: its text occurs ${times} times in ${file}, not once: ${find.slice(0, 80)}`,
    );
  }
}

export function allEdits({ edits, given = [] }: Mutant): readonly Edit[] {
  return [...given, ...edits];
}

export function applyEdits(mutant: Mutant, file: string, source: string): string {
  let mutated = source;
  for (const edit of allEdits(mutant)) {
    if (edit.file !== file) continue;
    const times = mutated.split(edit.find).length - 1;
    if (times !== 1) throw new MutantDoesNotApplyError(mutant.name, edit, times);
    mutated = mutated.replace(edit.find, () => edit.replace);
  }
  return mutated;
}
