import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The Chromium that is on the PATH. */
export function chromiumPath(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = folders.map((folder) => join(folder, "chromium")).find((file) => existsSync(file));
  if (found === undefined) throw new Error("there is no chromium on the PATH");
  return found;
}
