import { expect, test } from "vitest";
import { ITEMS_PER_REQUEST, MAX_TOKEN } from "../../../src/lease/limits.ts";
import { VALUE } from "./member.ts";
import { type Get, SERVER } from "./stage.ts";

const NONE = { ticket: undefined, ahead: 0 };

export function describeVotes(get: Get): void {
  test("a name has one vote, and whoever comes second is told who has it", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    const token = await a.take("x", { claim: 7 });
    const vote = { session: a.id, claim: 7, token };
    const result = await b.acquire("x");
    expect(result).toMatchObject({ kind: "held", vote, ...NONE });
    if (result.kind !== "held") throw new Error("unreachable");
    expect(Buffer.from(result.vote.value)).toEqual(Buffer.from(VALUE));
    expect(result.leftMs).toBeGreaterThan(0);
    expect(result.leftMs).toBeLessThanOrEqual(get().ttlMs);
    expect(await b.read("x")).toMatchObject({ kind: "vote", vote });
    expect(await b.read("y")).toEqual({ kind: "none" });
  });

  test("another claim of the same session is somebody else", async () => {
    const a = await get().member("a");
    await a.take("x", { claim: 1 });
    expect(await a.acquire("x", { claim: 2 })).toMatchObject({ kind: "held", vote: { claim: 1 } });
    await a.release("x", { claim: 2 });
    expect(await a.read("x")).toMatchObject({ kind: "vote", vote: { claim: 1 } });
  });

  test("only the claim that has a vote can give it back", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    await a.take("x");
    await b.release("x");
    expect(await b.acquire("x")).toMatchObject({ kind: "held" });
    await a.release("x");
    expect(await b.acquire("x")).toMatchObject({ kind: "granted" });
  });

  test("a free name, and one whose holder's session has ended, can be attached; one that is held cannot", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    expect(await a.confirm("x", 200, "attach")).toBe("stored");
    expect(await a.confirm("x", 200, "attach")).toBe("stored");
    expect(await b.confirm("x", 300, "attach")).toBe("lost");
    await a.ask("close", {});
    expect(await b.confirm("x", 300, "attach")).toBe("stored");
    expect(await b.read("x")).toMatchObject({ vote: { session: b.id, token: 300 } });
  });

  test("one request takes as many names as it may, of any text, and answers for each in turn", async () => {
    const a = await get().member("a");
    const odd = ["0", "a.b", "{a}", ">", "*", "a b", "\r\n", "\0", "ü😀", "__proto__", "x".repeat(512)];
    const names = Array.from({ length: ITEMS_PER_REQUEST }, (_, index) => odd[index] ?? `name ${index}`);
    const items = names.map((each, index) => ({
      ...{ name: each, claim: index + 1, proposal: 1_000 + index, ticket: undefined },
      value: Uint8Array.from({ length: index }, (_, at) => (at * 7) & 0xff),
    }));
    const reply = await a.ask("acquire", { items });
    expect(reply).toEqual({
      kind: "acquired",
      items: names.map((_, index) => ({ kind: "granted", token: 1_000 + index })),
    });
    const read = await a.peer.ask(SERVER, { kind: "read", names });
    if (read.kind !== "read") throw new Error("it should be read");
    for (const [index, result] of read.items.entries()) {
      if (result.kind !== "vote") throw new Error(`nobody has ${names[index]}`);
      expect(result.vote).toMatchObject({ session: a.id, claim: index + 1, token: 1_000 + index });
      expect(Buffer.compare(result.vote.value, items[index]?.value ?? VALUE)).toBe(0);
    }
  });
}

export function describeTokens(get: Get): void {
  test("the token is the proposal, if that is high enough", async () => {
    const a = await get().member("a");
    expect(await a.take("x", { proposal: 1_795_220_000_123_456 })).toBe(1_795_220_000_123_456);
    expect(await a.read("x")).toMatchObject({ vote: { token: 1_795_220_000_123_456 } });
  });

  test("tokens of a name go up, whoever has it, however it was given up, and if it is the same claim again", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    const tokens = [await a.take("x"), await a.take("x")];
    await a.release("x");
    tokens.push(await b.take("x"));
    await b.release("x");
    tokens.push(await a.take("x", { claim: 2 }));
    await a.ask("close", {});
    tokens.push(await b.take("x", { claim: 2 }));
    await get().pass(1.1 * get().ttlMs);
    tokens.push(await (await get().member("c")).take("x"));
    expect(tokens).toEqual([...new Set(tokens)].sort((left, right) => left - right));
  });

  test("a token that is confirmed is stored, and the next is higher", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    await a.take("x", { proposal: 200 });
    expect(await a.confirm("x", 900)).toBe("stored");
    expect(await a.read("x")).toMatchObject({ vote: { token: 900 } });
    expect(await a.confirm("x", 300)).toBe("stored");
    expect(await a.read("x")).toMatchObject({ vote: { token: 900 } });
    await a.release("x");
    expect(await b.take("x")).toBeGreaterThan(900);
  });

  test("only whoever has the vote can confirm", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    expect(await a.confirm("x", 900)).toBe("lost");
    await a.take("x");
    expect(await b.confirm("x", 900)).toBe("lost");
    expect(await a.confirm("x", 900, "confirm", 2)).toBe("lost");
    expect((await a.read("x")) as { vote?: object }).toMatchObject({ vote: { claim: 1 } });
  });

  test("a vote that is attached with a low token does not let the next one be lower than what was given before", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    await a.take("x", { proposal: 5_000 });
    await a.release("x");
    expect(await b.confirm("x", 300, "attach")).toBe("stored");
    expect(await b.read("x")).toMatchObject({ vote: { token: 300 } });
    await b.release("x");
    expect(await a.take("x", { claim: 2 })).toBeGreaterThan(5_000);
    await a.ask("close", {});
    expect(await b.confirm("x", 400, "attach", 2)).toBe("stored");
    await b.ask("close", {});
    expect(await (await get().member("c")).take("x")).toBeGreaterThan(5_001);
  });

  test("the highest token ever stored is told", async () => {
    const a = await get().member("a");
    await a.take("x", { proposal: 70_000 });
    await a.release("x");
    expect(await get().status()).toEqual({ kind: "ready", maxToken: 70_000 });
    expect(await a.confirm("y", 80_000, "attach")).toBe("stored");
    expect(await a.renew()).toMatchObject({ kind: "kept", maxToken: 80_000 });
  });

  test("past the highest token there is none, and nothing is given", async () => {
    const [a, b] = [await get().member("a"), await get().member("b")];
    expect(await a.take("x", { proposal: MAX_TOKEN - 1 })).toBe(MAX_TOKEN - 1);
    expect(await a.take("x")).toBe(MAX_TOKEN);
    await a.release("x");
    expect(await b.acquire("x")).toEqual({ kind: "exhausted" });
    expect(await b.read("x")).toEqual({ kind: "none" });
  });
}
