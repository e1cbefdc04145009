import { expect, test } from "vitest";
import {
  commandFor,
  readOptions,
  USAGE,
  UsageError,
} from "../../../../examples/phoenix-like-pubsub/options.ts";

const DEFAULTS = { port: 4300, host: "127.0.0.1", busPort: 4229, cluster: "talk", only: undefined };

test("without options there are three ports from 4300 on, on this machine only", () => {
  expect(readOptions([], 3)).toEqual(DEFAULTS);
  const all = ["--port", "0", "--host", "0.0.0.0", "--bus-port", "5000", "--cluster", "ann's"];
  expect(readOptions(all, 3)).toEqual({
    ...{ port: 0, host: "0.0.0.0", busPort: 5000, cluster: "ann's", only: undefined },
  });
  expect(readOptions(["--only", "3"], 3)).toEqual({ ...DEFAULTS, only: 3 });
  expect(readOptions(["--help", "--port", "nonsense"], 3)).toBeUndefined();
});

test.each<[string[], string]>([
  [["--port", "65534"], "65533"],
  [["--port", "-1"], "--port"],
  [["--port", "80a"], "80a"],
  [["--port", ""], "--port"],
  [["--bus-port", "0"], "from 1 to 65535"],
  [["--host", ""], "--host is empty"],
  [["--cluster", ""], "--cluster takes"],
  [["--cluster", "ü".repeat(257)], "1 to 512 bytes"],
  [["--only", "4"], "from 1 to 3"],
  [["--only", "talk-2"], "from 1 to 3"],
  [["--only", "2", "--port", "0"], "--port takes that of the first"],
  [["--hots", "x"], "--hots"],
  [["x"], "x"],
])("%j is refused, with the usage", (argv, said) => {
  const read = () => readOptions(argv, 3);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(said);
  expect(read).toThrow(USAGE);
});

test("one is started again by a command that a shell understands, unless nobody can know its port", () => {
  expect(commandFor(DEFAULTS, 2)).toBe("npm run example:pubsub -- --only 2");
  expect(commandFor({ ...DEFAULTS, port: 0 }, 2)).toBeUndefined();
  const all = { port: 5000, host: "0.0.0.0", busPort: 5100, cluster: "ann's", only: undefined };
  expect(commandFor(all, 1)).toBe(
    "npm run example:pubsub -- --only 1 --port 5000 --host 0.0.0.0 --bus-port 5100 --cluster 'ann'\\''s'",
  );
});
