import { afterEach, beforeEach, expect, test } from "vitest";
import type { Line } from "../../src/cli/singleton/lines.ts";
import { Singleton } from "../../src/cli/singleton/singleton.ts";
import { embeddedBus, startNode } from "../../src/index.ts";
import { freePort } from "../support/free-port.ts";

// A watchdog is started as this process was: here, from the sources.
beforeEach(() => {
  process.execArgv.push("--import", "tsx");
});

afterEach(() => {
  process.execArgv.splice(-2);
});

test("the end of a watchdog whose round is over does not end the command of the next round", async () => {
  await using node = await startNode({ cluster: "rounds", bus: embeddedBus({ port: await freePort() }) });
  let round = 0;
  // The name is lost with the first round, and had again at once: before the pipe to the first watchdog is seen to end.
  const line: Line = {
    stand: async () => {
      round += 1;
      const lost = round === 1 ? AbortSignal.abort() : new AbortController().signal;
      return { token: undefined, lost, remainingMs: () => 60_000, release: async () => undefined };
    },
  };
  const said: string[] = [];
  const end = await new Singleton({
    node,
    line,
    name: "job",
    command: ["sh", "-c", "exit 7"],
    times: { warnMs: 100, graceMs: 1_000, marginMs: 50 },
    beatMs: 100,
    goesBack: true,
    say: (text) => said.push(text),
  }).run();
  expect([round, end]).toStrictEqual([2, { kind: "exit", exitCode: 7, isAbrupt: false }]);
  expect(said).toStrictEqual(['"job" is lost, or about to be: the command has to end']);
});
