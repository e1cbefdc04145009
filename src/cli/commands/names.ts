import type { Registration } from "../../index.ts";
import { type AddCommand, examples, flagsOf, visit, withCommonFlags } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shownText, shownValue } from "../shown.ts";

export const addNames: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("names"))
    .description("list the (available) names, and who holds them")
    .argument("[prefix]", "only names that begin with it")
    .option("--json", "one JSON document")
    .action(async (prefix = "") => {
      const work = visit(flagsOf(command), {}, async ({ json, output, scope }) => {
        const found = [...scope.names.list()].filter(({ name }) => name.startsWith(prefix)).sort(byName);
        if (json) output.document(found);
        else output.table(["NAME", "PID", "META"], found.map(rowOf));
        return EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["names", "names orders/", "names --scope rooms --json"]);
};

export function rowOf({ meta, name, pid }: Registration): readonly string[] {
  return [shownText(name), pid, meta === undefined ? "" : shownValue(meta)];
}

function byName(left: Registration, right: Registration): number {
  return left.name < right.name ? -1 : 1;
}
