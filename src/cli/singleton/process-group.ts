import { readdirSync, readFileSync } from "node:fs";

/** To every process of the group, if there is any. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** Whether anybody of the group runs. */
export function groupRuns(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    // Somebody is there, who may not be asked.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return !isAllEnded(group);
}

/**
 * Who has ended keeps its number until its parent has taken note, which in many containers nobody does for orphans. Linux tells
 * them from the living; elsewhere nobody is taken for ended who can still be signalled.
 */
function isAllEnded(group: number): boolean {
  try {
    const members = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(readStat)
      .filter((stat) => stat?.group === group);
    return members.length > 0 && members.every((stat) => stat?.state === "Z" || stat?.state === "X");
  } catch {
    return false;
  }
}

function readStat(pid: string): { readonly state: string; readonly group: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Behind the name of the program, which may have blanks and brackets of its own.
    const [state = "", , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, group: Number(group) };
  } catch {
    // It has gone meanwhile.
    return undefined;
  }
}
