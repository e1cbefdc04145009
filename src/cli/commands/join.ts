import {
  type AddCommand,
  type CommonFlags,
  examples,
  flagsOf,
  parseMeta,
  untilAborted,
  visit,
  withCommonFlags,
} from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shownValue } from "../shown.ts";

interface Flags extends CommonFlags {
  readonly meta?: string;
}

export const addJoin: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("join"))
    .description("join a group, and print its messages, one on each line, until Ctrl-C")
    .argument("<group>")
    .option("--meta <json>", "metadata that the other members see")
    .option("--json", "each message as a JSON document on a line of its own, with its sender")
    .action(async (group: string) => {
      const flags = flagsOf<Flags>(command);
      const meta = parseMeta(flags.meta);
      const work = visit(flags, { mayBeAlone: true }, async ({ json, node, output, scope, signal }) => {
        const member = node.spawn((message, { from, missed }) => {
          if (json) output.jsonLine({ group, from: from ?? null, message, missed });
          else output.line(shownValue(message));
        });
        scope.groups.join(group, member, { meta });
        output.say(`joined ${JSON.stringify(group)} as ${member.pid}; Ctrl-C leaves it`);
        await untilAborted(signal);
        return EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["join room", `join workers --meta '{"zone":"a"}' --json | jq .message`]);
};
