import { type AddCommand, examples, flagsOf, visit, withClusterFlags } from "../command.ts";
import { EXIT } from "../exit-codes.ts";

export const addNodes: AddCommand = (program, done) => {
  const command = withClusterFlags(program.command("nodes"))
    .description("list the live nodes of the cluster")
    .option("--json", "one JSON document")
    .action(async () => {
      const work = visit(flagsOf(command), {}, async ({ json, node, output }) => {
        // Without this one, which is there only to look.
        const others = node.nodes().filter(({ id }) => id !== node.id);
        if (json) output.document(others);
        else
          output.table(
            ["NAME", "STATE", "ID"],
            others.map(({ id, name, state }) => [name, state, id]),
          );
        return EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["nodes", "nodes --cluster shop --nats nats://10.0.0.5:4222 --json"]);
};
