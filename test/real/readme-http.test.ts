import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { HttpClient } from "../support/http-client.ts";
import { ServiceProcess } from "../support/service-process.ts";

const README = readFileSync("README.md", "utf8");
const run = promisify(execFile);

test("what the README does with curl works, on the embedded bus; killed, the first server's name is gone on the second", async () => {
  const found = /## From any language: HTTP[\s\S]*?```sh\n([\s\S]*?)```/.exec(README)?.[1] ?? "";
  const env = { ROLLCALL_BUS_PORT: String(await freePort()), ROLLCALL_CLUSTER: "readme-http" };
  await using first = await ServiceProcess.start({ env: { ...env, ROLLCALL_NODE: "first" } });
  await using second = await ServiceProcess.start({ env: { ...env, ROLLCALL_NODE: "second" } });
  const script = found
    .replace("http://127.0.0.1:4780", first.url)
    .replace("http://127.0.0.1:4781", second.url);
  const { stdout } = await run("bash", ["-euc", script]);
  // Registered on the first, found on the second.
  expect(stdout.match(/"name":"printer","pid":"first@/g)).toHaveLength(2);
  expect(stdout).toContain('{"members":1}');
  expect(stdout).toMatch(/event: message\ndata: .*"message":"hello"/);
  await first.kill();
  const there = new HttpClient(second.url);
  await eventually(async () => (await there.get("/v1/names/printer")).body["code"] === "NO_SUCH_NAME", {
    withinMs: 20_000,
  });
}, 90_000);
