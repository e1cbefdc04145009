import { type ChildProcess, spawn } from "node:child_process";

/**
 * Ends a child when this process ends, however that happens: a shell waits for the end of a pipe that this process holds. Killed
 * processes run no handlers, and a child that is stopped hears of nothing.
 *
 * @param directory removed with it
 */
export function endWithUs(child: ChildProcess, directory?: string): void {
  // It could not be started, which its user is told by an event.
  if (child.pid === undefined) return;
  const script = `read -r _; kill -9 "$0"${directory === undefined ? "" : '; rm -rf "$1"'}`;
  const watcher = spawn(
    "sh",
    ["-c", script, `${child.pid}`, ...(directory === undefined ? [] : [directory])],
    {
      stdio: ["pipe", "ignore", "ignore"],
      // Ctrl-C is for the whole group of processes, and must not end the one that cleans up.
      detached: true,
    },
  );
  // Else this process would wait for it.
  watcher.unref();
  child.once("exit", () => watcher.kill("SIGKILL"));
}
