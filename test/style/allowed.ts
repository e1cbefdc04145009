/** A file that may do what a rule bans, and why nothing else will do. An entry that is not needed any more fails the test. */
export interface Allowance {
  readonly file: string;
  readonly what: string;
  readonly reason: string;
}

function allow(file: string, whats: readonly string[], reason: string): readonly Allowance[] {
  return whats.map((what) => ({ file, what, reason }));
}

export const ALLOWED: readonly Allowance[] = [
  ...allow(
    "src/node/real-clock.ts",
    ["performance.now", "Date.now", "setTimeout", "setImmediate"],
    "the one real clock",
  ),
  ...allow(
    "src/testing.ts",
    ["import of a program, (top) -> sim"],
    "the simulator's own entrance for users, `rollcall/testing`: nothing in src imports it",
  ),
  ...allow(
    "src/http.ts",
    ["import of a program, (top) -> http"],
    "the service's own entrance for users, `rollcall/http`: nothing in src imports it",
  ),
  ...allow("src/sim/leaks.ts", ["hrtime"], "names what must not be used while a simulation runs"),
  ...allow(
    "src/sim/shell/guard.ts",
    ["node:timers", "setImmediate"],
    "takes the place of timers while a simulation runs, and waits for promises by the one that it put aside",
  ),
  ...allow(
    "src/cli/singleton/system-clock.ts",
    ["hrtime"],
    "the clock that the processes of a machine share: that of `real-clock.ts` begins anew in each",
  ),
  ...allow("src/cli/demo.ts", ["node:events"], "waits for a server of Node's own to listen and to close"),
];
