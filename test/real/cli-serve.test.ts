import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { Cli } from "../support/cli/command.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { SilentServer } from "../support/silent-server.ts";

const SOON = { withinMs: 8_000 };

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

describe("a server that is asked to end while it starts", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("ends with 0 on %s, though the bus is silent", async (signal) => {
    await using bus = await SilentServer.start();
    await using cli = new Cli(["serve", "--port", "0"], { NATS_URL: `nats://127.0.0.1:${bus.port}` });
    await eventually(() => bus.connections > 0, { withinMs: 20_000 });
    cli.signal(signal);
    await eventually(() => cli.hasEnded, SOON);
    expect([await cli.ended(), cli.stdout, cli.stderr]).toStrictEqual([0, "", ""]);
  });

  test("ends with 0 when it has the bus, and looks for other nodes", async () => {
    const port = await freePort();
    await using cli = new Cli(["serve", "--port", "0"], { ROLLCALL_BUS_PORT: `${port}` });
    await eventually(() => accepts(port), { withinMs: 20_000 });
    cli.signal("SIGTERM");
    await eventually(() => cli.hasEnded, SOON);
    expect([await cli.ended(), cli.stdout, cli.stderr]).toStrictEqual([0, "", ""]);
  });

  test("ends at once when it is asked twice", async () => {
    await using bus = await SilentServer.start();
    await using cli = new Cli(["serve", "--port", "0"], { NATS_URL: `nats://127.0.0.1:${bus.port}` });
    await eventually(() => bus.connections > 0, { withinMs: 20_000 });
    // Both wait for it when it goes on. Which of them comes first is not said.
    for (const signal of ["SIGSTOP", "SIGHUP", "SIGTERM", "SIGCONT"] as const) cli.signal(signal);
    await eventually(() => cli.hasEnded, SOON);
    expect([129, 143]).toContain(await cli.ended());
  });
});
