import { type AddCommand, examples, flagsOf, visit, withCommonFlags } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shownText, shownValue } from "../shown.ts";

export const addGroups: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("groups"))
    .description("list the groups with their members")
    .argument("[group]", "only this one; exit code 3 if nobody is in it")
    .option("--json", "one JSON document")
    .action(async (group?: string) => {
      const work = visit(flagsOf(command), {}, async ({ json, output, scope: { groups } }) => {
        const names = group === undefined ? [...groups.list()].sort() : [group];
        const found = names.map((name) => ({ group: name, members: groups.members(name) }));
        if (json) output.document(found);
        else
          output.table(
            ["GROUP", "PID", "META"],
            found.flatMap(({ group: name, members }) =>
              members.map(({ meta, pid }) => [
                shownText(name),
                pid,
                meta === undefined ? "" : shownValue(meta),
              ]),
            ),
          );
        const isEmpty = group !== undefined && groups.count(group) === 0;
        return isEmpty ? EXIT.nobody : EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["groups", "groups workers --json"]);
};
