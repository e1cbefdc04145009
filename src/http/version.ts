import { readFileSync } from "node:fs";

/** Of this package: from `src` and from `dist` it is the same way to it. */
export const VERSION: string = versionOf(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
);

function versionOf(text: string): string {
  return (JSON.parse(text) as { readonly version: string }).version;
}
