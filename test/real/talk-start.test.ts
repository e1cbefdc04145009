import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { NatsServer } from "../support/nats-server.ts";
import { Talk } from "../support/talk.ts";

/** Something that listens, and hangs up on whoever comes. */
let stranger: Server;
let taken: number;
let nats: NatsServer;

beforeAll(async () => {
  taken = await freePort();
  stranger = createServer((socket) =>
    socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"),
  );
  await new Promise<void>((resolve) => stranger.listen(taken, "127.0.0.1", resolve));
  nats = await NatsServer.start();
});

afterAll(async () => {
  await new Promise((resolve) => stranger.close(resolve));
  await nats[Symbol.asyncDispose]();
});

/** It ends with this code, having said one line, and nothing else. */
async function failsWith(
  line: RegExp,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { code, output } = await Talk.fail(args, env);
  expect(output.trimEnd().split("\n")).toEqual([expect.stringMatching(line)]);
  expect(code).toBe(1);
}

test("a port that is taken is named, with the option that gives another", async () => {
  const busPort = `${await freePort()}`;
  const line = new RegExp(`^port ${taken} is taken: give others with --port$`);
  await failsWith(line, ["--port", `${taken - 1}`, "--bus-port", busPort]);
  await failsWith(line, ["--port", `${taken - 1}`, "--bus-port", busPort, "--only", "2"]);
});

test("so is that of the bus", async () => {
  await failsWith(new RegExp(`^port ${taken} is not the embedded bus's: .*: give another with --bus-port$`), [
    ...["--port", "0", "--bus-port", `${taken}`],
  ]);
});

test("a host that is not this machine is named", async () => {
  await failsWith(/^203\.0\.113\.7 is not this machine: --host /, ["--port", "0", "--host", "203.0.113.7"]);
});

test("NATS that cannot be reached is named, without what its address keeps secret", async () => {
  const port = await freePort();
  const NATS_URL = `nats://ann:s3cret@127.0.0.1:${port}`;
  await failsWith(new RegExp(`^cannot reach NATS at 127\\.0\\.0\\.1:${port} .*NATS_URL`), ["--port", "0"], {
    NATS_URL,
  });
});

test("two talks on one NATS need a cluster each, and then do not know of each other", async () => {
  const env = { NATS_URL: nats.url };
  await using _ann = await Talk.start(["--port", "0", "--cluster", "ann"], env);
  await failsWith(
    /^talk-\d is in the cluster ann already: .* --cluster$/,
    ["--port", "0", "--cluster", "ann"],
    env,
  );
  await using bob = await Talk.start(["--port", "0", "--cluster", "bob"], env);
  // Their ports are not in a row: nobody can start one again by hand.
  expect(bob.output).not.toContain("--only");
}, 120_000);

test("a node that is closed while it runs says why, and ends", async () => {
  const allow = (password: string): string => `authorization { user: ann, password: ${password} }`;
  await using guarded = await NatsServer.start({ config: allow("first") });
  const NATS_URL = guarded.url.replace("//", "//ann:first@");
  await using talk = await Talk.start(["--port", "0", "--cluster", "closed"], { NATS_URL });
  await guarded.configure(allow("second"));
  guarded.signal("SIGHUP");
  for (const name of ["talk-1", "talk-2", "talk-3"]) {
    await talk.says(new RegExp(`^${name} ends: .*credentials`, "m"));
    await talk.says(new RegExp(`^${name} is gone; `, "m"));
  }
  await eventually(() => talk.exitCode === 1);
}, 120_000);
