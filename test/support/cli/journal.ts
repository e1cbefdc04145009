import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../eventually.ts";

export interface JournalLine {
  readonly kind: "start" | "tick" | "asked" | "end";
  readonly pid: number;
  /** Of whoever started it: the watchdog. */
  readonly ppid: number;
  /** The node that runs it. */
  readonly of: string;
  readonly token?: string;
  /** On the clock that all processes of the machine share, in nanoseconds. */
  readonly at: string;
  /** At the start: jobs before it that still ran. */
  readonly alive?: readonly number[];
}

const JOB = fileURLToPath(new URL("job.mjs", import.meta.url));

/** The file that jobs write into. What becomes of them is read from it. Its disposal ends every job that still runs. */
export class Journal implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "rollcall-journal-"));
  readonly #file = join(this.#folder, "lines");

  constructor() {
    writeFileSync(this.#file, "");
  }

  command(mode = "plain"): readonly string[] {
    return [process.execPath, JOB, this.#file, mode];
  }

  get lines(): readonly JournalLine[] {
    const lines = readFileSync(this.#file, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as JournalLine);
  }

  get starts(): readonly JournalLine[] {
    return this.lines.filter(({ kind }) => kind === "start");
  }

  async started(count: number, withinMs = 30_000): Promise<JournalLine> {
    await eventually(() => this.starts.length >= count, {
      withinMs,
      what: () => `${this.starts.length} starts`,
    });
    const start = this.starts[count - 1];
    if (start === undefined) throw new Error("there, then not");
    return start;
  }

  /** Every line of a job that came after another one had started, and every job that was alive at the start of another. */
  get overlaps(): readonly string[] {
    const found: string[] = [];
    let latest: JournalLine | undefined;
    for (const line of this.lines) {
      if (line.kind === "start") {
        if (line.alive?.length !== 0) found.push(`${line.alive} alive when ${line.pid} started`);
        latest = line;
      } else if (line.pid !== latest?.pid)
        found.push(`${line.kind} of ${line.pid} after ${latest?.pid} started`);
    }
    return found;
  }

  [Symbol.dispose](): void {
    for (const { pid, ppid } of this.starts) {
      killIfThere(pid);
      // One that was stopped does not end by itself. Whoever has its number now may be somebody else.
      if (isWatchdog(ppid)) killIfThere(ppid);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** It may end by itself at this very moment. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function isWatchdog(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("watchdog");
  } catch {
    return false;
  }
}

/** A zombie has ended, and only waits for somebody to take note. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    // Not every system has such files.
    return (error as NodeJS.ErrnoException).syscall === "open" && existsSync("/proc/self") === false;
  }
}
