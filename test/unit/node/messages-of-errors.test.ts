import { describe, expect, test } from "vitest";
import { embeddedBus } from "../../../src/bus/embedded/bus.ts";
import { natsBus } from "../../../src/bus/nats.ts";
import { InvalidArgumentError } from "../../../src/kernel/errors.ts";
import { quote } from "../../../src/kernel/quote.ts";
import { ResolverTable } from "../../../src/node/resolver-table.ts";
import { Counts } from "../../../src/node/stats.ts";
import type { Clash } from "../../../src/resolve/types.ts";
import { Shells } from "../../support/shells.ts";

async function refusal(act: () => unknown): Promise<InvalidArgumentError> {
  try {
    await act();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    return error as InvalidArgumentError;
  }
  throw new Error("nothing was refused");
}

describe("an error says what was given, and what to give", () => {
  test("for the options of a bus", async () => {
    const servers = ["nats://a:4222"];
    const asText = await refusal(() => natsBus("nats://bob:hunter2@a" as never));
    expect(asText.message).toMatch(
      /^natsBus is "\(a string\)"; it takes an object with the options servers, credentials, .*dialTimeoutMs$/,
    );
    const list = await refusal(() => natsBus(servers as never));
    expect(list.message).toMatch(/^natsBus is "\(an array\)"; it takes an object with/);
    const unknown = await refusal(() => natsBus({ server: "nats://bob:hunter2@a" } as never));
    expect(unknown.path).toBe("natsBus.server");
    expect(unknown.message).toMatch(
      /^natsBus\.server is "\(given\)"; it takes nothing: there is no option server; there are servers, credentials, /,
    );
    const port = await refusal(() => embeddedBus(4229 as never));
    expect(port.message).toBe('embeddedBus is "(a number)"; it takes an object with the options port');
  });

  test("for an address", async () => {
    const shells = new Shells("addresses");
    const node = await shells.start("a");
    const wrongs: readonly (readonly [to: unknown, path: string, words: RegExp])[] = [
      [
        { nam: "x" },
        "to",
        /^to is \{"nam":"x"\}; it takes a pid, a process, \{ name, scope\? \} or \{ strictName, scope\? \}$/,
      ],
      [
        { group: "g" },
        "to",
        /\{ strictName, scope\? \}; a whole group is reached by multicall, or by publish$/,
      ],
      ["n", "to", /^to is "n"; it takes a pid, a process, \{ name, scope\? \} or \{ strictName, scope\? \}$/],
      [undefined, "to", /^to is undefined; it takes a pid/],
      [
        { name: "x", scop: "s" },
        "to.scop",
        /^to\.scop is "s"; it takes nothing: an address takes name and scope$/,
      ],
      [{ name: "x", scope: "closed" }, "to.scope", /^to\.scope is "closed"; it takes a scope that this node/],
      [{ name: "x", scope: 5 }, "to.scope", /^to\.scope is 5; it takes a non-empty string/],
      [{ name: 5 }, "to.name", /^to\.name is 5; it takes a non-empty string/],
    ];
    for (const [to, path, words] of wrongs) {
      for (const act of [
        () => node.call(to as never, 1),
        () => node.send(to as never, 1),
        () => node.multicall([node.spawn(), to] as never, 1),
      ]) {
        const error = await refusal(act);
        if (!error.path.startsWith("to[1]")) {
          expect(error.path).toBe(path);
          expect(error.message).toMatch(words);
        } else {
          expect(error.path).toBe(path.replace("to", "to[1]"));
        }
      }
    }
    expect((await refusal(() => node.multicall({ group: "g", scope: "closed" }, 1))).path).toBe("to.scope");
    expect((await refusal(() => node.multicall({ group: "" }, 1))).path).toBe("to.group");
    const listless = await refusal(() => node.multicall({ name: "n" } as never, 1));
    expect(listless.message).toBe(
      'to is {"name":"n"}; it takes { group, scope? } or an array of addresses, each a pid, a process, { name, scope? } or { strictName, scope? }',
    );
    expect((await refusal(() => node.monitor({ name: "n", scope: "closed" }))).path).toBe("target.scope");
    expect((await refusal(() => node.monitor({ name: "n", scop: "s" } as never))).path).toBe("target.scop");
    expect((await refusal(() => node.monitor({ nod: "x" } as never))).message).toBe(
      'target is {"nod":"x"}; it takes a pid, a process, { node }, or { name, scope? }',
    );
  });

  test("for a verdict", () => {
    const errors: unknown[] = [];
    const silent = (): void => {};
    const logger = {
      ...{ debug: silent, info: silent, warn: silent },
      error: (details: object) => void errors.push((details as { readonly error: unknown }).error),
    };
    const table = new ResolverTable({
      metadata: { name: "metadataBytes", bytes: 100 },
      counts: new Counts(),
      logger,
    });
    const clash: Clash = { name: "n", scope: "s", contenders: [] };
    table.run(
      table.add(() => ({ keep: "newest" }) as never),
      clash,
      silent,
    );
    expect(errors).toHaveLength(1);
    expect((errors[0] as Error).message).toBe(
      'verdict is {"keep":"newest"}; it takes { keep, losers, meta? }, where keep is the pid of a contender ' +
        'and losers "exit" or "notify", or { keep: "none", notify }, where notify is true or false',
    );
  });

  test("for numbers that are none", () => {
    expect([Number.NaN, Number.POSITIVE_INFINITY, -0, 1.5].map(quote)).toEqual([
      "NaN",
      "Infinity",
      "0",
      "1.5",
    ]);
  });
});

test("frames signed with another secret, or none, are logged as just that, with who sent them", async () => {
  const shells = new Shells("other secrets");
  await shells.start("signs", { secret: "correct horse" });
  await shells.start("signs-not");
  await shells.run(1_000);
  const warnings = shells.log.filter(({ message }) => message.includes("secret"));
  expect(warnings.map(({ message }) => message)).toEqual([
    "frames are dropped (mac): another node of this cluster name signs with another secret, or only one of the two signs",
    "frames are dropped (mac): another node of this cluster name signs with another secret, or only one of the two signs",
  ]);
  expect(warnings.map(({ details }) => (details as { readonly sender: string }).sender).sort()).toEqual([
    "signs",
    "signs-not",
  ]);
});
