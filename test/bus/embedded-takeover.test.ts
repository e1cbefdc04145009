import { afterEach, describe, expect, test } from "vitest";
import { embeddedBus, embeddedBusWithLimits } from "../../src/bus/embedded/bus.ts";
import type { EmbeddedConnection } from "../../src/bus/embedded/connection.ts";
import { BusPeer } from "../support/bus-peer.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { NatsServer } from "../support/nats-server.ts";
import { NodeProcess } from "../support/node-process.ts";
import { SilentServer } from "../support/silent-server.ts";

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const disposable of disposables.splice(0).reverse()) await disposable[Symbol.asyncDispose]();
});

const script = new URL("./fixtures/embedded-process.ts", import.meta.url);

async function startProcess(port: number, name: string): Promise<NodeProcess> {
  const child = new NodeProcess(name, script, [String(port), name]);
  disposables.push(child);
  await child.saw("ready");
  return child;
}

interface Member extends BusPeer {
  readonly embedded: EmbeddedConnection;
}

/** A node in this OS process. */
async function connectMember(port: number, name: string): Promise<Member> {
  const peer = new BusPeer(name);
  const embedded = await embeddedBusWithLimits(port, {}).connect(peer.options());
  disposables.push({ [Symbol.asyncDispose]: () => embedded.close() });
  return Object.assign(peer.attach(embedded), { embedded });
}

describe("when the host of the embedded bus is killed", () => {
  test("the others take over within a second, know that it is gone, and keep hearing each other", async () => {
    const port = await freePort();
    const host = await startProcess(port, "host@1");
    const others = [
      await startProcess(port, "b@1"),
      await startProcess(port, "c@1"),
      await startProcess(port, "d@1"),
    ];
    expect(await host.saw("ready")).toMatchObject({ hosting: true });
    for (const other of others) {
      expect(await other.saw("ready")).toMatchObject({ hosting: false });
      await other.saw("heard", { from: "host@1" });
    }
    const killedAt = Date.now();
    host.signal("SIGKILL");
    const connected = await Promise.all(others.map((other) => other.saw("connected", { epoch: 2 })));
    const advised = await Promise.all(others.map((other) => other.saw("advisory", { clientName: "host@1" })));
    for (const other of others) {
      for (const peer of others)
        if (peer !== other) await other.saw("heard", { from: peer.name, epoch: "2" });
    }
    const since = (events: readonly { at: number }[]): number =>
      Math.max(...events.map(({ at }) => at - killedAt));
    expect(since(connected)).toBeLessThan(1_000);
    expect(since(advised)).toBeLessThan(1_500);
    expect(new Set(connected.map((event) => event.serverId)).size).toBe(1);
    const hosting = others.filter((other) => other.events.some(({ kind }) => kind === "hosting"));
    expect(hosting).toHaveLength(1);
    for (const other of others) {
      const names = other.events.flatMap((event) => (event.kind === "advisory" ? [event.clientName] : []));
      expect(names).toEqual(["host@1"]);
    }
  });

  test("one host after another may be killed, until one node is left", async () => {
    const port = await freePort();
    let left = [
      await startProcess(port, "a@1"),
      await startProcess(port, "b@1"),
      await startProcess(port, "c@1"),
    ];
    for (let epoch = 2; epoch <= 3; epoch += 1) {
      const host = left.find((one) =>
        one.events.some(({ kind, hosting }) => kind === "hosting" || hosting === true),
      );
      if (host === undefined) throw new Error("nobody hosts");
      left = left.filter((one) => one !== host);
      host.signal("SIGKILL");
      for (const one of left) await one.saw("connected", { epoch });
      await Promise.all(left.map((one) => one.saw("advisory", { clientName: host.name })));
      await Promise.any(left.map((one) => one.saw("hosting", {}, 2_000)));
    }
    expect(left).toHaveLength(1);
  });
});

test("a killed node that is not the host is known to the others within a second", async () => {
  const port = await freePort();
  const [a, b] = [await connectMember(port, "a@1"), await connectMember(port, "b@1")];
  const child = await startProcess(port, "killed@1");
  const killedAt = performance.now();
  child.signal("SIGKILL");
  await eventually(() => a.advisories.includes("killed@1") && b.advisories.includes("killed@1"));
  expect(performance.now() - killedAt).toBeLessThan(1_000);
  expect([a.connection.epoch, b.connection.epoch]).toEqual([1, 1]);
});

describe("when the host of the embedded bus closes", () => {
  test("what it sent arrives, another takes over, and its end is told once", async () => {
    const port = await freePort();
    const [host, b, c] = [
      await connectMember(port, "host@1"),
      await connectMember(port, "b@1"),
      await connectMember(port, "c@1"),
    ];
    expect([host, b, c].map(({ embedded }) => embedded.isHosting)).toEqual([true, false, false]);
    await Promise.all([b.listen("t.x"), c.listen("t.x")]);
    for (let index = 0; index < 1_000; index += 1) host.publish("t.x", String(index));
    await host.connection.close();
    await eventually(() => [b, c].every((peer) => peer.connection.epoch === 2 && peer.connection.connected));
    expect([b, c].map((peer) => peer.texts.length)).toEqual([1_000, 1_000]);
    expect([b, c].filter(({ embedded }) => embedded.isHosting)).toHaveLength(1);
    b.publish("t.x", "from b");
    await eventually(() => c.texts.includes("from b"));
    await eventually(() => b.advisories.length > 0 && c.advisories.length > 0);
    expect([b.advisories, c.advisories]).toEqual([["host@1"], ["host@1"]]);
  });

  test("an OS process that closed ends by itself", async () => {
    const port = await freePort();
    const child = await startProcess(port, "host@1");
    child.signal("SIGTERM");
    await child.saw("closed");
    await child.exited();
    expect(child.exitCode).toBe(0);
  });

  test("a node of the old host's name that has connected again is not told of as gone", async () => {
    const port = await freePort();
    const [host, b] = [await connectMember(port, "host@1"), await connectMember(port, "b@1")];
    await host.connection.close();
    // A live node of that name, as the former host would be had only its broker failed.
    await connectMember(port, "host@1");
    await eventually(() => b.connection.epoch === 2 && b.connection.connected);
    const c = await connectMember(port, "c@1");
    await c.connection.close();
    await eventually(() => b.advisories.includes("c@1"));
    // The question about the former host was asked and answered by then, or will be: its answer decides.
    await expect(eventually(() => b.advisories.includes("host@1"), { withinMs: 400 })).rejects.toThrow();
  });
});

test("nodes of one OS process share one broker, and each ends alone", async () => {
  const port = await freePort();
  const members = await Promise.all(["a@1", "b@1", "c@1", "d@1"].map((name) => connectMember(port, name)));
  expect(members.filter(({ embedded }) => embedded.isHosting)).toHaveLength(1);
  expect(new Set(members.map((member) => member.connection.serverId)).size).toBe(1);
});

describe("a port that is not free", () => {
  test.each([
    ["says nothing", {}, /says nothing within 2000 ms/],
    ["is another program", { greeting: "220 mail ready\r\n" }, /another program listens there/],
  ])("whose listener %s is a clear error with the port and the option", async (_, options, message) => {
    const other = await SilentServer.start(options);
    disposables.push(other);
    const failure = BusPeer.connect(embeddedBus({ port: other.port }), "a@1");
    await expect(failure).rejects.toMatchObject({ code: "BUS_CLOSED" });
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(new RegExp(`port ${other.port} .*embeddedBus\\(\\{ port \\}\\)`));
    await eventually(() => other.open === 0);
  });

  test("whose listener is a NATS server is told to be for natsBus", async () => {
    const server = await NatsServer.start();
    disposables.push(server);
    const failure = BusPeer.connect(embeddedBus({ port: server.port }), "a@1");
    await expect(failure).rejects.toThrow(/natsBus\(\) is for that/);
  });

  test("whose broker takes no more clients says so, and is not taken for another program", async () => {
    const port = await freePort();
    const host = await BusPeer.connect(embeddedBusWithLimits(port, { clients: 1 }), "host@1");
    disposables.push({ [Symbol.asyncDispose]: () => host.connection.close() });
    const failure = BusPeer.connect(embeddedBus({ port }), "a@1");
    await expect(failure).rejects.toMatchObject({ code: "BUS_CLOSED" });
    await expect(failure).rejects.toThrow(
      new RegExp(`port ${port}: it refuses connections: maximum connections exceeded`),
    );
    await expect(failure).rejects.not.toThrow(/another program/);
  });

  test("and options that are wrong are refused", () => {
    for (const options of [{ port: 0 }, { port: "4229" }, { port: 65_536 }, { ports: 1 }]) {
      expect(() => Reflect.apply(embeddedBus, undefined, [options])).toThrow(/embeddedBus\.ports? is/);
    }
  });

  test("an abort while it is being looked at rejects with the reason", async () => {
    const silent = await SilentServer.start();
    disposables.push(silent);
    const controller = new AbortController();
    const failure = BusPeer.connect(embeddedBus({ port: silent.port }), "a@1", { signal: controller.signal });
    await eventually(() => silent.open === 1);
    controller.abort(new Error("never mind"));
    await expect(failure).rejects.toThrow("never mind");
  });
});
