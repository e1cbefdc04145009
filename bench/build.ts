import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The workers, compiled. */
export interface Build extends Disposable {
  readonly worker: string;
}

/**
 * Compiles the workers, and with them the library, as it is compiled to be published. What a loader of TypeScript makes of it
 * on the fly is slower: to keep the names of functions, it defines a property each time that one is created.
 */
export function buildWorkers(): Build {
  // Inside the repository, where the packages are found.
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "bench-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const compiler = join(root, "node_modules", ".bin", "tsc");
  const { status, stdout, error } = spawnSync(compiler, ["-p", join(root, "bench"), "--outDir", folder], {
    encoding: "utf8",
  });
  if (status !== 0) {
    remove();
    throw new Error(`the workers were not compiled:\n${stdout ?? ""}`, { cause: error });
  }
  return { worker: join(folder, "bench", "worker.js"), [Symbol.dispose]: remove };
}
