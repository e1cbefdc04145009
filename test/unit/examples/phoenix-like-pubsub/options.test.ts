import { expect, test } from "vitest";
import { readOptions, USAGE, UsageError } from "../../../../examples/phoenix-like-pubsub/options.ts";

test("without options there are three ports from 4300 on, on this machine only", () => {
  expect(readOptions([], 3)).toEqual({ port: 4300, host: "127.0.0.1", busPort: 4229 });
  expect(readOptions(["--port", "0", "--host", "0.0.0.0", "--bus-port", "5000"], 3)).toEqual({
    port: 0,
    host: "0.0.0.0",
    busPort: 5000,
  });
  expect(readOptions(["--help", "--port", "nonsense"], 3)).toBeUndefined();
});

test.each<[string[], string]>([
  [["--port", "65534"], "65533"],
  [["--port", "-1"], "--port"],
  [["--port", "80a"], "80a"],
  [["--port", ""], "--port"],
  [["--bus-port", "0"], "from 1 to 65535"],
  [["--host", ""], "--host is empty"],
  [["--hots", "x"], "--hots"],
  [["x"], "x"],
])("%j is refused, with the usage", (argv, said) => {
  const read = () => readOptions(argv, 3);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(said);
  expect(read).toThrow(USAGE);
});
