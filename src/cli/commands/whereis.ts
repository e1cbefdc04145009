import { type AddCommand, type CommonFlags, examples, flagsOf, visit, withCommonFlags } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shownValue } from "../shown.ts";

interface Flags extends CommonFlags {
  readonly strict?: boolean;
}

export const addWhereis: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("whereis"))
    .description("tell who holds a name")
    .argument("<name>")
    .option("--strict", "a strict name: ask a majority of the lease servers")
    .option("--json", "one JSON document; `null` if nobody does")
    .action(async (name: string) => {
      const flags = flagsOf<Flags>(command);
      const isStrict = flags.strict === true;
      const work = visit(flags, { needsLeases: isStrict }, async ({ json, output, scope, signal }) => {
        const { names, strictNames } = scope;
        const found = isStrict ? await strictNames.lookup(name, { signal }) : names.whereis(name);
        if (json) output.document(found ?? null);
        else if (found === undefined) output.say(`nobody holds ${JSON.stringify(name)}`);
        else output.line(wordsOf(found));
        return found === undefined ? EXIT.nobody : EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["whereis billing", "whereis billing --strict --json"]);
};

function wordsOf({ meta, pid, token }: { meta: unknown; pid: string; token?: bigint }): string {
  const parts = [pid, ...(token === undefined ? [] : [`token ${token}`])];
  return [...parts, ...(meta === undefined ? [] : [shownValue(meta)])].join("  ");
}
