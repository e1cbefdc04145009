import { createColors } from "picocolors";
import { type AddCommand, type CommonFlags, examples, flagsOf, withClusterFlags } from "../command.ts";
import { checkCluster } from "../doctor/cluster.ts";
import type { Finding, Level } from "../doctor/finding.ts";
import { judgeNodeVersion, judgeRedisEncryption } from "../doctor/machine.ts";
import { checkBus, checkJetstream } from "../doctor/nats.ts";
import { checkRedis } from "../doctor/redis-servers.ts";
import { readEnvironment } from "../environment.ts";
import { EXIT } from "../exit-codes.ts";
import { Interrupts } from "../interrupts.ts";
import { Output } from "../output.ts";
import { shownText } from "../shown.ts";

export const addDoctor: AddCommand = (program, done) => {
  const command = withClusterFlags(program.command("doctor"))
    .description("look whether everything is as nodes need it; exit code 1 if something is not")
    .option("--json", "one JSON document")
    .action(async () => {
      done(await examine(flagsOf(command)));
    });
  examples(command, ["doctor", "doctor --json | jq '.[] | select(.level != \"ok\")'"]);
};

async function examine(flags: CommonFlags): Promise<number> {
  const environment = readEnvironment(process.env, flags);
  const output = new Output();
  const interrupts = new Interrupts();
  const [bus, redis, jetstream] = await Promise.all([
    checkBus(environment),
    checkRedis(environment),
    checkJetstream(environment),
  ]);
  const cluster = await checkCluster(
    environment,
    flags.node,
    redis.isUsed || jetstream.isUsed,
    interrupts.signal,
  );
  if (interrupts.exitCode !== undefined) return interrupts.exitCode;
  const findings = [
    judgeNodeVersion(process.version),
    ...bus,
    ...judgeRedisEncryption(environment),
    ...redis.findings,
    ...jetstream.findings,
    ...cluster,
  ];
  if (flags.json === true) output.document(findings);
  else for (const line of findings.flatMap(linesOf)) output.line(line);
  return findings.some(({ level }) => level === "fail") ? EXIT.failed : EXIT.ok;
}

const colors = createColors();
const MARKS: Readonly<Record<Level, string>> = {
  ok: colors.green("ok     "),
  warn: colors.yellow("warn   "),
  fail: colors.red("FAIL   "),
  skipped: colors.dim("skipped"),
};

function linesOf({ check, level, remedy, what }: Finding): readonly string[] {
  const first = `${MARKS[level]}  ${check}: ${shownText(what)}`;
  return remedy === undefined ? [first] : [first, `         -> ${shownText(remedy)}`];
}
