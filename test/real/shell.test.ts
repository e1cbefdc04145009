import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { embeddedBus, natsBus, startNode } from "../../src/index.ts";
import { eventually, pause } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { NatsServer } from "../support/nats-server.ts";

const cluster = "shell test";
const secret = "a secret of the shell test";

test("what is said while the NATS server is away, and after, arrives once and in order", async () => {
  await using server = await NatsServer.start();
  const bus = natsBus({ servers: server.url });
  await using a = await startNode({ cluster, name: "a", bus, secret });
  await using b = await startNode({ cluster, name: "b", bus, secret });
  const seen: number[] = [];
  const receiver = b.spawn((message) => void seen.push(message as number));
  b.groups.join("g", receiver);
  await b.settled();
  let number = 0;
  const chatter = async (ms: number) => {
    for (const endsAt = performance.now() + ms; performance.now() < endsAt; await pause(1)) {
      for (let count = 0; count < 10; count += 1) a.send(receiver, number++);
      a.groups.publish("g", number++);
    }
  };
  await chatter(200);
  // What a server has taken and not passed on yet dies with it: of that, nobody can promise anything.
  await eventually(() => seen.length === number);
  await server.kill();
  await chatter(500);
  await server.run();
  await chatter(500);
  await a.flushed({ timeoutMs: 20_000 });
  await eventually(() => seen.length === number, {
    withinMs: 20_000,
    what: () => `${seen.length} of ${number}`,
  });
  expect(seen).toEqual(Array.from({ length: number }, (_, index) => index));
  expect(a.nodes()).toHaveLength(2);
  expect(a.stats().reconnects).toBe(1);
});

test("a slow reader makes the sender wait or refuse, never grow without end", async () => {
  await using server = await NatsServer.start();
  const bus = natsBus({ servers: server.url });
  await using a = await startNode({ cluster, name: "a", bus, limits: { outboundBytes: 1_000_000 } });
  await using b = await startNode({ cluster, name: "b", bus });
  let received = 0;
  const count = () => {
    received += 1;
  };
  const receiver = b.spawn(count, { mailbox: 1_000_000 });
  const message = "x".repeat(10_000);
  let refused = 0;
  for (let sent = 0; sent < 1_000; ) {
    try {
      a.send(receiver, message);
      sent += 1;
    } catch (error) {
      expect(error).toMatchObject({ code: "LIMIT_EXCEEDED", limit: "outboundBytes" });
      refused += 1;
      await a.flushed({ timeoutMs: 20_000 });
    }
    expect(a.stats().outbound.queuedBytes).toBeLessThanOrEqual(1_300_000);
  }
  expect(refused).toBeGreaterThan(0);
  await eventually(() => received === 1_000);
});

test("a server that is not there, or refuses, fails the start, and nothing stays open", async () => {
  const port = await freePort();
  const absent = startNode({
    cluster,
    bus: natsBus({ servers: `127.0.0.1:${port}` }),
    limits: { startMs: 1_000 },
  });
  await expect(absent).rejects.toMatchObject({ code: expect.stringMatching(/BUS_CLOSED|TIMEOUT/) });
  await using server = await NatsServer.start({ config: "authorization { token: right }" });
  await expect(startNode({ cluster, bus: natsBus({ servers: server.url }) })).rejects.toMatchObject({
    code: "UNAUTHORIZED",
  });
});

test("an OS process lives while its node does, and ends by itself when the node has stopped", async () => {
  const port = await freePort();
  const program = `
    import { embeddedBus, startNode } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
    const node = await startNode({ cluster: "ends", bus: embeddedBus({ port: ${port} }) });
    node.spawn(() => {});
    const watch = node.names.watch();
    await watch.next();
    const next = watch.next();
    node.names.waitFor("never").catch((error) => console.log(error.code));
    process.stdin.once("data", async () => {
      await node.stop();
      process.stdin.destroy();
      console.log((await next).done);
    });
    console.log("started");
  `;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await eventually(() => output.includes("started"), { withinMs: 20_000 });
  await pause(1_000);
  expect(child.exitCode).toBeNull();
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.stdin.write("stop\n");
  expect(await ended).toBe(0);
  expect(output).toBe("started\nBUS_CLOSED\ntrue\n");
});

test("nodes of one machine meet over the embedded bus, and outlive the one that hosts it", async () => {
  const port = await freePort();
  const start = (name: string) => startNode({ cluster, name, bus: embeddedBus({ port }), secret });
  const host = await start("host");
  await using b = await start("b");
  await using c = await start("c");
  const echo = c.spawn((message) => message);
  await c.names.register("echo", echo);
  await c.settled();
  expect(await b.call({ name: "echo" }, 1)).toBe(1);
  await host.stop();
  expect(await b.call({ name: "echo" }, 2)).toBe(2);
  expect(b.nodes().map((node) => node.name)).toEqual(["b", "c"]);
});
