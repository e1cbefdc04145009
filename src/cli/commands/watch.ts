import { Argument } from "commander";
import { type AddCommand, examples, flagsOf, type Visit, visit, withCommonFlags } from "../command.ts";
import { wordsOfGroup, wordsOfName, wordsOfNode } from "../event-words.ts";
import { CommandError, EXIT } from "../exit-codes.ts";

const WHAT = ["names", "groups", "nodes"] as const;

export const addWatch: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("watch"))
    .description("print what is there, then every change, until Ctrl-C")
    .addArgument(new Argument("[what]", "what to watch").choices(WHAT).default("names"))
    .argument("[key]", "only this name, or group")
    .option("--json", "each event as a JSON document on a line of its own")
    .action(async (what: (typeof WHAT)[number], key?: string) => {
      if (what === "nodes" && key !== undefined) {
        throw new CommandError(
          EXIT.misused,
          `watch nodes takes no key, and was given ${JSON.stringify(key)}`,
        );
      }
      const work = visit(flagsOf(command), { mayBeAlone: true }, async (visited) => {
        const { node, scope, signal } = visited;
        if (what === "names") await tell(visited, scope.names.watch(key, { signal }), wordsOfName);
        else if (what === "groups") await tell(visited, scope.groups.watch(key, { signal }), wordsOfGroup);
        else await tell(visited, node.watchNodes({ signal }), wordsOfNode);
        return EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["watch", "watch groups workers", "watch nodes --json | jq -c .kind"]);
};

async function tell<E>(
  { json, output }: Visit,
  events: AsyncIterable<E>,
  wordsOf: (event: E) => readonly string[],
): Promise<void> {
  for await (const event of events) {
    if (json) await output.flowing(() => output.jsonLine(event));
    else await output.flowing(() => wordsOf(event).forEach((line) => void output.line(line)));
  }
}
