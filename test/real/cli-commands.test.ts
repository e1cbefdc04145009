import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Shop } from "../support/cli/cluster.ts";
import { Cli, rollcall } from "../support/cli/command.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";

let shop: Shop;

beforeAll(async () => {
  shop = await Shop.open();
});

afterAll(async () => {
  await shop[Symbol.asyncDispose]();
});

const run = (...words: readonly string[]) => rollcall(words, shop.variables);

describe("a command that looks", () => {
  test("lists nodes without its own, and leaves the cluster in good order", async () => {
    const reasons: string[] = [];
    const watching = new AbortController();
    const watched = (async () => {
      for await (const event of shop.node.watchNodes({ signal: watching.signal }))
        if (event.kind === "down") reasons.push(JSON.stringify(event.reason));
    })();
    const { code, stderr, stdout } = await run("nodes", "--json", "--node", "visitor");
    expect([code, stderr]).toStrictEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject([{ name: "web-1", state: "up", id: shop.node.id }]);
    await eventually(() => reasons.length === 1);
    expect(reasons[0]).toContain('"cause":"left"');
    watching.abort();
    await watched;
  });

  test("lists names by prefix, and groups with members, and tells who holds one", async () => {
    const { groups, names } = shop.node;
    const worker = shop.node.spawn();
    await names.register("orders/1", worker, { meta: { shard: 1 } });
    await names.register("orders/2\u001b[2J", worker);
    await names.register("users", worker);
    groups.join("workers", worker, { meta: "a" });
    const listed = await run("names", "orders/", "--json");
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { name: "orders/1", pid: worker.pid, meta: { shard: 1 } },
      { name: "orders/2\u001b[2J" },
    ]);
    const table = await run("names", "orders/");
    expect(table.stdout).toContain("orders/2\\u001b[2J");
    expect(table.stdout).not.toContain("\u001b");
    expect(JSON.parse((await run("groups", "--json")).stdout)).toMatchObject([
      { group: "workers", members: [{ pid: worker.pid, meta: "a" }] },
    ]);
    expect((await run("groups", "nobody")).code).toBe(3);
    expect(await run("whereis", "users")).toMatchObject({ code: 0, stdout: `${worker.pid}\n` });
    expect(await run("whereis", "nobody", "--json")).toMatchObject({ code: 3, stdout: "null\n" });
    worker.exit();
  });

  test("sees only the scope that it is told", async () => {
    const rooms = await shop.node.scope("rooms");
    const room = shop.node.spawn();
    await rooms.names.register("lobby", room);
    expect((await run("whereis", "lobby", "--scope", "rooms")).code).toBe(0);
    expect((await run("whereis", "lobby")).code).toBe(3);
    room.exit();
  });

  test("takes flags in front of the command, and knows its own from those", async () => {
    const other = await rollcall(["--cluster", "other", "nodes", "--json"], shop.variables);
    expect(other).toMatchObject({ code: 0, stdout: "[]\n" });
    expect(other.stderr).toContain('no other node of cluster "other" is on NATS');
    expect(other.stderr).toContain("ROLLCALL_CLUSTER or --cluster");
  });
});

describe("a message", () => {
  test("goes to the members of a group, which `join` prints one by one until Ctrl-C", async () => {
    await using member = new Cli(["join", "room", "--meta", '{"nick":"ann"}'], shop.variables);
    await using telling = new Cli(["join", "room", "--json"], shop.variables);
    await eventually(() => shop.node.groups.count("room") === 2, { withinMs: 20_000 });
    expect(shop.node.groups.members("room").map(({ meta }) => meta)).toContainEqual({ nick: "ann" });
    shop.node.groups.publish("room", "two\nlines");
    await eventually(() => member.lines.length === 1 && telling.lines.length === 1);
    const published = await run("publish", "room", '{"say":"hello"}', "--json");
    expect(JSON.parse(published.stdout)).toStrictEqual({ group: "room", members: 2 });
    await eventually(() => member.lines.length === 2 && telling.lines.length === 2);
    expect(member.lines).toStrictEqual(["two\\u000alines", '{"say":"hello"}']);
    expect(telling.lines.map((line) => JSON.parse(line).message)).toStrictEqual([
      "two\nlines",
      { say: "hello" },
    ]);
    member.signal("SIGINT");
    telling.signal("SIGTERM");
    expect([await member.ended(), await telling.ended()]).toStrictEqual([130, 143]);
    await eventually(() => shop.node.groups.count("room") === 0);
    expect((await run("publish", "room", "anyone?")).code).toBe(3);
  });

  test("is answered by whoever holds the name", async () => {
    const echo = shop.node.spawn((message) => {
      if (message === "fail") throw new Error("no\nway");
      return { got: message };
    });
    await shop.node.names.register("echo", echo);
    expect((await run("call", "echo", "5")).stdout).toBe('{"got":5}\n');
    expect((await run("call", "echo", "text of mine")).stdout).toBe('{"got":"text of mine"}\n');
    const failed = await run("call", "echo", "fail");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toMatch(/^rollcall: .*no\\u000away\n$/);
    expect((await run("call", "nobody", "x")).code).toBe(3);
    echo.exit();
    const silent = shop.node.spawn(() => new Promise(() => undefined));
    await shop.node.names.register("silent", silent);
    expect((await run("call", "silent", "x", "--timeout-ms", "200")).code).toBe(4);
    silent.exit();
  });
});

describe("a watch", () => {
  test("tells what is there, then every change, until it is interrupted", async () => {
    const { names } = shop.node;
    const worker = shop.node.spawn();
    await names.register("here", worker);
    await names.register("there", worker);
    await using watch = new Cli(["watch", "names", "--json"], shop.variables);
    await using plain = new Cli(["watch", "names", "there"], shop.variables);
    await using nodes = new Cli(["watch", "nodes"], shop.variables);
    await eventually(() => watch.lines.length === 1 && plain.lines.length === 1, { withinMs: 20_000 });
    await eventually(() => nodes.stdout.includes("= node web-1@"), { withinMs: 20_000 });
    expect(JSON.parse(watch.lines[0] ?? "")).toMatchObject({
      kind: "state",
      registrations: [{ name: "here" }, { name: "there" }],
    });
    await names.unregister("there");
    await names.register("there", worker, { meta: 1 });
    await names.update("there", () => 2);
    worker.exit();
    await eventually(() => watch.lines.length === 6 && plain.lines.length === 5);
    expect(watch.lines.map((line) => JSON.parse(line).kind)).toStrictEqual([
      "state",
      "unregistered",
      "registered",
      "updated",
      "unregistered",
      "unregistered",
    ]);
    expect(plain.lines).toStrictEqual([
      `= name there  ${worker.pid}`,
      `- name there  ${worker.pid}  (released)`,
      `+ name there  ${worker.pid}  1`,
      `~ name there  ${worker.pid}  2`,
      `- name there  ${worker.pid}  2  (normal)`,
    ]);
    for (const cli of [watch, plain, nodes]) cli.signal("SIGINT");
    expect([await watch.ended(), await plain.ended(), await nodes.ended()]).toStrictEqual([130, 130, 130]);
  });

  test("ends without a word when nobody reads it any more", async () => {
    const worker = shop.node.spawn();
    await shop.node.names.register("first", worker);
    await using watch = new Cli(["watch", "names"], shop.variables);
    await eventually(() => watch.lines.length === 1, { withinMs: 20_000 });
    watch.child.stdout?.destroy();
    const churn = setInterval(() => void shop.node.names.update("first", (meta) => !meta), 20);
    try {
      expect([await watch.ended(), watch.stderr]).toStrictEqual([0, ""]);
    } finally {
      clearInterval(churn);
      worker.exit();
    }
  });
});

test("`top --once` has a picture of the cluster, and `top --json` one on each line", async () => {
  const worker = shop.node.spawn();
  await shop.node.names.register("seen", worker);
  const once = await run("top", "--once");
  expect(once.code).toBe(0);
  expect(once.stdout).toMatch(/names 1 {2}groups 0 {2}members 0/);
  expect(once.stdout).toMatch(/^web-1 +up +1 /m);
  await using top = new Cli(["top", "--json", "--interval-ms", "100"], shop.variables);
  await eventually(() => top.lines.length >= 2, { withinMs: 20_000 });
  worker.exit();
  const told = () => top.lines.some((line) => line.includes("- name seen"));
  await eventually(told, { withinMs: 20_000 });
  expect(JSON.parse(top.lines.at(-1) ?? "")).toMatchObject({ cluster: "shop", names: 0 });
  top.signal("SIGINT");
  expect(await top.ended()).toBe(130);
});

describe("what goes wrong is told in one line that says what to do", () => {
  test.each<[string, readonly string[], Record<string, string>, number, RegExp]>([
    [
      "a bus that is not there",
      ["nodes"],
      { NATS_URL: "nats://127.0.0.1:1" },
      4,
      /cannot reach NATS at 127\.0\.0\.1:1/,
    ],
    [
      "a wrong variable",
      ["nodes"],
      { ROLLCALL_SECRET: "short" },
      2,
      /^rollcall: ROLLCALL_SECRET is \(hidden\); it takes/,
    ],
    ["strict names without servers", ["whereis", "x", "--strict"], { NATS_URL: "" }, 2, /set REDIS_URLS/],
    [
      "lease servers that are not there",
      ["whereis", "x", "--strict"],
      { REDIS_URLS: "redis://127.0.0.1:1" },
      4,
      /0 of 1 lease server takes part/,
    ],
    ["an unknown flag", ["names", "--jason"], {}, 2, /unknown option '--jason'/],
    ["an unknown command", ["nmaes"], {}, 2, /unknown command 'nmaes'/],
    ["metadata that is no JSON", ["join", "room", "--meta", "{"], {}, 2, /--meta is no JSON/],
    [
      "a number that is none",
      ["call", "a", "b", "--timeout-ms", "soon"],
      {},
      2,
      /--timeout-ms is "soon"; it takes/,
    ],
    ["a key where there is none", ["watch", "nodes", "x"], {}, 2, /watch nodes takes no key/],
    ["a name that is none", ["whereis", ""], {}, 2, /^rollcall: name is ""/],
    ["a command to run that is missing", ["register", "x"], {}, 2, /missing required argument 'command'/],
  ])("%s", async (_what, words, variables, code, says) => {
    const ended = await rollcall(words, {
      ROLLCALL_BUS_PORT: String(await freePort()),
      ROLLCALL_LEASE_TTL_MS: "1000",
      ...variables,
    });
    expect([ended.code, ended.stdout]).toStrictEqual([code, ""]);
    const lines = ended.stderr
      .trim()
      .split("\n")
      .filter((line) => !/^{|^no other node|^\(Did you mean/.test(line));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(says);
  });

  test("with LOG_LEVEL=debug it has its stack", async () => {
    const { stderr } = await rollcall(["nodes"], { NATS_URL: "nats://127.0.0.1:1", LOG_LEVEL: "debug" });
    expect(stderr).toMatch(/\n {4}at /);
  });
});

test("bash completes commands and flags by the script that it is given", async () => {
  const { stdout } = await rollcall(["completion", "bash"]);
  const complete = async (...words: readonly string[]): Promise<string> => {
    const line = words.map((word) => `'${word}'`).join(" ");
    const script = `${stdout}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _rollcall; echo "\${COMPREPLY[*]}"`;
    return (await promisify(execFile)("bash", ["-c", script])).stdout.trim();
  };
  expect(await complete("rollcall", "w")).toBe("whereis watch");
  expect(await complete("rollcall", "whereis", "x", "--s")).toBe("--scope --strict");
  expect(await complete("rollcall", "--cluster", "shop", "reg")).toBe("register");
});

test("`sim` and `demo` read their own arguments, and end as those do", async () => {
  const sim = await rollcall(["sim", "--seeds", "2", "--jobs", "1", "--json"]);
  expect(sim.code).toBe(0);
  expect(JSON.parse(sim.stdout)).toHaveProperty("seeds", 2);
  expect(await rollcall(["demo", "--twice"])).toMatchObject({ code: 2 });
});
