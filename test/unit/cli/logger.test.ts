import { expect, test } from "vitest";
import { readEnvironment } from "../../../src/cli/environment.ts";
import { loggerOf } from "../../../src/cli/open-node.ts";

test("an error that the library tells of is in the log with its stack, and what caused it", () => {
  const lines: string[] = [];
  const logger = loggerOf(readEnvironment({}, {}), "warn", { write: (line) => void lines.push(line) });
  const error = new TypeError("the request failed", { cause: new Error("the socket is gone") });
  logger.error({ error, path: "/v1/names" }, "a request failed");
  const told = JSON.parse(lines.join(""));
  expect(told).toMatchObject({ msg: "a request failed", path: "/v1/names", error: { type: "TypeError" } });
  expect(told.error.stack).toMatch(/^TypeError: the request failed\n +at /);
  expect(told.error.stack).toContain("\ncaused by: Error: the socket is gone\n");
});
