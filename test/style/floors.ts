/** The files that stand in `src` itself: what the package exports. */
export const TOP = "(top)";

/** The floor of the programs: a command line, a service, a simulator. */
export const PROGRAMS = 5;

/** Each folder of `src` and its floor. Imports go downward only. */
export const FLOORS: ReadonlyMap<string, number> = new Map([
  ["kernel", 0],
  ["bus", 1],
  ["lease", 1],
  ["monitor", 2],
  ["resolve", 2],
  ["replication", 2],
  ["global", 3],
  ["groups", 3],
  ["pubsub", 3],
  ["node", 4],
  ["cli", PROGRAMS],
  ["http", PROGRAMS],
  ["sim", PROGRAMS],
  [TOP, 6],
]);

/** Imports between folders of one floor that are meant. */
export const SIDEWAYS: readonly { readonly from: string; readonly to: string; readonly reason: string }[] = [
  {
    from: "cli",
    to: "sim",
    reason: "`npm run sim` is the simulator's command line",
  },
  {
    from: "lease",
    to: "bus",
    reason: "the options of a store of leases are checked, and told to be wrong, as those of a bus are",
  },
  {
    from: "replication",
    to: "monitor",
    reason:
      "why a process ended is written in its node's log in the same words in which its monitors are told",
  },
];
