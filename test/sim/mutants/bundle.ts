import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "vite";
import { allEdits, applyEdits, type Mutant } from "./mutant.ts";

const root = new URL("../../../", import.meta.url).pathname;

/** The files that a mutant changes, by their paths. */
export async function mutate(mutant: Mutant): Promise<ReadonlyMap<string, string>> {
  const sources = new Map<string, string>();
  for (const { file } of allEdits(mutant)) {
    const path = join(root, file);
    if (!sources.has(path)) sources.set(path, applyEdits(mutant, file, await readFile(path, "utf8")));
  }
  return sources;
}

/** Bundles the simulator with a mutated core into one file. */
export async function bundleMutant(
  mutant: Mutant,
  entry: "child" | "trial",
  folder: string,
): Promise<string> {
  const sources = await mutate(mutant);
  const loaded = new Set<string>();
  const plugin: Plugin = {
    name: "mutant",
    enforce: "pre",
    load(id) {
      const source = sources.get(id);
      if (source !== undefined) loaded.add(id);
      return source;
    },
  };
  const output = await build({
    root,
    configFile: false,
    logLevel: "error",
    plugins: [plugin],
    ssr: { noExternal: true },
    build: { ssr: join(root, `test/sim/mutants/${entry}.ts`), write: false, minify: false, target: "node20" },
  });
  for (const path of sources.keys()) {
    if (!loaded.has(path)) throw new Error(`mutant "${mutant.name}": ${path} is no part of the simulator`);
  }
  const chunk = [output].flat().flatMap((one) => ("output" in one ? one.output : []))[0];
  if (chunk?.type !== "chunk") throw new Error(`mutant "${mutant.name}" came to no code`);
  const path = join(folder, `${entry}-${mutant.name.replaceAll(/\W+/g, "-")}.mjs`);
  await writeFile(path, chunk.code);
  return path;
}
