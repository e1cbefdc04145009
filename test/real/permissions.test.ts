import { readFileSync } from "node:fs";
import { connect } from "nats";
import { expect, test } from "vitest";
import { natsBus, startNode } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { NatsServer } from "../support/nats-server.ts";

/** The permissions as docs/architecture.md gives them, for a node of this name. */
function permissionsOf(name: string): string {
  const template =
    /permissions: \{[\s\S]*?\n\}/.exec(readFileSync("docs/architecture.md", "utf8"))?.[0] ?? "";
  expect(template).toContain("web-1");
  return template.replaceAll("web-1", name);
}

test("NATS permissions after the documented template let nodes work and hold each to its own name", async () => {
  const users = ["web-1", "web-2"].map(
    (name) => `{ user: "${name}", password: "p", ${permissionsOf(name)} }`,
  );
  const server = await NatsServer.start({ config: `authorization: { users: [ ${users.join(", ")} ] }` });
  try {
    const servers = `nats://127.0.0.1:${server.port}`;
    const start = (name: string) =>
      startNode({ cluster: "bound", name, bus: natsBus({ servers, user: name, pass: "p" }) });
    const [first, second] = await Promise.all([start("web-1"), start("web-2")]);
    const answering = first.spawn((message) => message);
    await second.names.register("echo", answering);
    expect(await second.call({ name: "echo" }, "hello")).toBe("hello");

    // Somebody with web-2's password speaks as web-1: the server refuses.
    const intruder = await connect({ servers, user: "web-2", pass: "p" });
    const errors: string[] = [];
    void (async () => {
      for await (const status of intruder.status()) errors.push(String(status.data));
    })();
    intruder.publish("rc.x.all.web-1", "forged");
    await intruder.flush();
    await eventually(() => errors.length > 0, { withinMs: 5_000 });
    expect(errors.join()).toContain("PERMISSIONS_VIOLATION");
    await intruder.close();
    await Promise.all([first.stop(), second.stop()]);
  } finally {
    await server[Symbol.asyncDispose]();
  }
});
