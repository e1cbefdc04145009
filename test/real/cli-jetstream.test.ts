import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { NatsServer } from "../support/nats-server.ts";

const run = promisify(execFile);

test("on one NATS server with JetStream strict names work without a word about replicas, and doctor finds them", async () => {
  await using nats = await NatsServer.start({ jetstream: true });
  const { HOME = "", PATH = "" } = process.env;
  const env = { HOME, PATH, NATS_URL: nats.url, ROLLCALL_LEASE_TTL_MS: "3000" };
  const rollcall = (...words: string[]) =>
    run(process.execPath, ["dist/cli/main.js", ...words], { env, timeout: 60_000 });
  const print = "console.log(process.env.ROLLCALL_NAME, 'has', process.env.ROLLCALL_FENCING_TOKEN)";
  const words = ["register", "once", "--strict", "--", process.execPath, "-e", print];
  const first = await rollcall(...words);
  const second = await rollcall(...words);
  const token = ({ stdout }: { readonly stdout: string }) => Number(/^once has (\d+)$/m.exec(stdout)?.[1]);
  expect(token(second)).toBeGreaterThan(token(first));
  const { stdout } = await rollcall("doctor", "--json");
  const findings = JSON.parse(stdout) as readonly { readonly level: string; readonly what: string }[];
  expect(findings.filter(({ level }) => level === "fail")).toEqual([]);
  expect(stdout).toContain("JetStream is enabled");
}, 120_000);
