import { type AddCommand, examples, flagsOf, parseMessage, visit, withCommonFlags } from "../command.ts";
import { EXIT } from "../exit-codes.ts";

export const addPublish: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("publish"))
    .description("send a message to all members of a group; exit code 3 if nobody is in it")
    .argument("<group>")
    .argument("<message>", "JSON, or text where it is none")
    .option("--json", "one JSON document: how many it was sent to")
    .action(async (group: string, message: string) => {
      const work = visit(flagsOf(command), {}, async ({ json, node, output, scope, signal }) => {
        const members = scope.groups.publish(group, parseMessage(message));
        await node.flushed({ signal });
        if (json) output.document({ group, members });
        else output.say(`sent to ${members} ${members === 1 ? "member" : "members"}`);
        return members === 0 ? EXIT.nobody : EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["publish room 'hello, all'", `publish workers '{"reload":true}'`]);
};
