import { appendFileSync, readFileSync } from "node:fs";

/*
 * What runs under a name in tests. It writes what it does into a file that all of its kind append to, so that the order of lines is
 * the order in which things happened: `node job.mjs FILE [MODE]`. At its start it looks whether one before it is still alive.
 */
const [, , file, mode = "plain"] = process.argv;
const write = (kind, more = {}) => {
  const { pid, ppid } = process;
  const { JOB_OF: of, ROLLCALL_FENCING_TOKEN: token } = process.env;
  const at = String(process.hrtime.bigint());
  appendFileSync(file, `${JSON.stringify({ kind, pid, ppid, of, token, at, ...more })}\n`);
};

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A zombie has ended, and only waits for somebody to take note. */
function runs(pid) {
  if (!isAlive(pid)) return false;
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return isAlive(pid);
  }
}

const before = readFileSync(file, { encoding: "utf8", flag: "a+" });
const pids = before
  .split("\n")
  .slice(0, -1)
  .map((line) => JSON.parse(line).pid);
write("start", { alive: [...new Set(pids)].filter((pid) => pid !== process.pid && runs(pid)) });

process.on("SIGTERM", () => {
  write("asked");
  if (mode === "stubborn") return;
  // Work that is to be finished takes its time.
  setTimeout(
    () => {
      write("end");
      process.exit(3);
    },
    mode === "slow" ? 700 : 0,
  );
});
setInterval(() => write("tick"), 10);
