import {
  type AddCommand,
  type CommonFlags,
  examples,
  flagsOf,
  parseMessage,
  parseWhole,
  visit,
  withCommonFlags,
} from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shownValue } from "../shown.ts";

interface Flags extends CommonFlags {
  readonly strict?: boolean;
  readonly timeoutMs?: number;
}

/** As for every waiting call of the library. */
const LONGEST_MS = 2_147_483_647;

export const addCall: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("call"))
    .description("call whoever holds a name, and print the answer")
    .argument("<name>")
    .argument("<message>", "JSON, or text where it is none")
    .option("--strict", "a strict name")
    .option(
      "--timeout-ms <ms>",
      "how long to wait for the answer; default 5000",
      parseWhole("--timeout-ms", 1, LONGEST_MS),
    )
    .option("--json", "the answer as a JSON document, texts too")
    .action(async (name: string, message: string) => {
      const flags = flagsOf<Flags>(command);
      const { strict = false, timeoutMs } = flags;
      const work = visit(flags, { needsLeases: strict }, async ({ json, node, output, signal }) => {
        const to = strict ? { strictName: name, scope: flags.scope } : { name, scope: flags.scope };
        const answer = await node.call(to, parseMessage(message), { timeoutMs, signal });
        if (json) output.document(answer ?? null);
        else if (answer !== undefined) output.line(shownValue(answer));
        return EXIT.ok;
      });
      done(await work);
    });
  examples(command, [`call counter '{"add":5}'`, "call billing status --strict --timeout-ms 1000"]);
};
