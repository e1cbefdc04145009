import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { NatsServer } from "../support/nats-server.ts";
import { PlainProxy } from "../support/plain-proxy.ts";
import { Talk } from "../support/talk.ts";
import { Complaints, everybodySees, openBrowser, TalkVisitor } from "../support/talk-visitor.ts";

/** Where a person can look at the page afterwards. */
const PICTURES = ".tmp/talk";

/** A name for this machine that no node knows of. */
const ALIAS = "talk.example";

let browser: Browser;
let nats: NatsServer;

beforeAll(async () => {
  nats = await NatsServer.start();
  browser = await openBrowser(`--host-resolver-rules=MAP ${ALIAS} 127.0.0.1`);
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
});

afterAll(async () => {
  await browser?.close();
  await nats?.[Symbol.asyncDispose]();
});

/** On NATS, where a node that hangs does not take the bus along. Each in a cluster of its own. */
async function startTalk(cluster: string): Promise<Talk> {
  return Talk.start(["--port", `${await freePort()}`, "--cluster", cluster], { NATS_URL: nats.url });
}

describe.each([
  { tunnels: "refuse", signal: "SIGKILL" },
  { tunnels: "hold", signal: "SIGSTOP" },
] as const)("a network that lets no WebSockets through ($tunnels)", ({ tunnels, signal }) => {
  test(`has the page by long polling, and another node when its own gets ${signal}`, async () => {
    await using talk = await startTalk(`plain-${tunnels}`);
    await using network = await PlainProxy.start(tunnels);
    const complaints = new Complaints();
    const proxy = { server: network.url, bypass: "<-loopback>" };
    const webSockets: string[] = [];
    const ann = await TalkVisitor.open(browser, talk.node("talk-1").url, { proxy, complaints, webSockets });
    const bob = await TalkVisitor.open(browser, talk.node("talk-2").url, { complaints });
    await ann.connectedTo("talk-1");
    expect(webSockets).toHaveLength(1);
    expect(network.tunnels).toBeGreaterThan(0);
    expect(network.polls).toBeGreaterThan(0);
    await ann.rename("Ann");
    await bob.rename("Bob");
    await everybodySees([ann, bob], ["Ann talk-1", "Bob talk-2"]);
    await ann.rate(7);
    await bob.seesAverage("7.0");
    await bob.cheer("😂");
    await ann.seesEmoji("😂");

    const { pid } = talk.node("talk-1");
    process.kill(pid, signal);
    await ann.connectedTo("talk-2");
    await everybodySees([ann, bob], ["Ann talk-2", "Bob talk-2"]);
    // It has learnt, and waits for no more WebSockets.
    expect(webSockets).toHaveLength(1);
    expect(complaints.all).toEqual([]);
    if (signal === "SIGSTOP") process.kill(pid, "SIGCONT");
  }, 120_000);
});

test("a node that hangs is left for another", async () => {
  await using talk = await startTalk("hangs");
  const ann = await TalkVisitor.open(browser, talk.node("talk-1").url);
  const webSockets: string[] = [];
  const bob = await TalkVisitor.open(browser, talk.node("talk-2").url, { webSockets });
  await ann.connectedTo("talk-1");
  await bob.connectedTo("talk-2");
  await ann.rename("Ann");
  await bob.rename("Bob");
  await everybodySees([ann, bob], ["Ann talk-1", "Bob talk-2"]);
  const { pid } = talk.node("talk-2");
  process.kill(pid, "SIGSTOP");
  await bob.hasSaid("talk-2 does not answer, moving on …");
  await bob.connectedTo("talk-3");
  // It was not tried a second time, which takes longer than the first.
  expect(webSockets).toHaveLength(2);
  // The one who moved counts, long before the node is taken for dead.
  await everybodySees([ann, bob], ["Ann talk-1", "Bob talk-3"]);
  await ann.seesNode("talk-2", "gone");
  process.kill(pid, "SIGCONT");
  await ann.seesNode("talk-2", "reachable");
  await everybodySees([ann, bob], ["Ann talk-1", "Bob talk-3"]);
}, 120_000);

test("a node that hangs and hosts the embedded bus is left, too, and the others serve on", async () => {
  const args = ["--port", `${await freePort()}`, "--bus-port", `${await freePort()}`];
  // The first to come hosts the bus.
  await using first = await Talk.start([...args, "--only", "1"]);
  await using second = await Talk.start([...args, "--only", "2"]);
  const ann = await TalkVisitor.open(browser, first.node("talk-1").url);
  const bob = await TalkVisitor.open(browser, second.node("talk-2").url);
  await ann.connectedTo("talk-1");
  await bob.connectedTo("talk-2");
  await ann.rename("Ann");
  await bob.rename("Bob");
  await everybodySees([ann, bob], ["Ann talk-1", "Bob talk-2"]);
  const { pid } = first.node("talk-1");
  process.kill(pid, "SIGSTOP");
  await ann.connectedTo("talk-2");
  await everybodySees([ann, bob], ["Ann talk-2", "Bob talk-2"]);
  await ann.rate(9);
  await bob.seesAverage("9.0");
  process.kill(pid, "SIGCONT");
  await bob.seesNode("talk-1", "reachable");
}, 120_000);

test("when the last node is gone the page says so, and goes on when one is back", async () => {
  const args = ["--port", `${await freePort()}`, "--cluster", "last"];
  const talk = await Talk.start(args, { NATS_URL: nats.url });
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true };
  const ann = await TalkVisitor.open(browser, talk.node("talk-3").url, phone);
  await ann.connectedTo("talk-3");
  await ann.rename("Ann");
  for (const name of ["talk-1", "talk-2", "talk-3"]) process.kill(talk.node(name).pid, "SIGKILL");
  await ann.status("lost", "no node answers");
  expect(await ann.page.locator("#nodes [aria-current]").count()).toBe(0);
  await ann.cheer("👏");
  await ann.hint("Not connected just now");
  await ann.page.screenshot({ path: `${PICTURES}/6-lost.png` });
  await talk.says(/is gone; it was the last/);
  await eventually(() => talk.exitCode === 1);
  await using _again = await Talk.start([...args, "--only", "2"], { NATS_URL: nats.url });
  await ann.connectedTo("talk-2");
  await everybodySees([ann], ["Ann talk-2"]);
}, 120_000);

test("a page that no node lets in says why", async () => {
  await using talk = await startTalk("refused");
  const { url } = talk.node("talk-1");
  const ann = await TalkVisitor.open(browser, url.replace("127.0.0.1", ALIAS));
  const { origin, port } = new URL(url);
  const known = `${origin} or http://localhost:${port}`;
  await ann.status("lost", `talk-1 refused this page: open it at ${known}, not at http://${ALIAS}:${port}`);
  await ann.page.screenshot({ path: `${PICTURES}/7-refused.png` });
}, 120_000);
