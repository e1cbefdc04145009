import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startService } from "../../src/http.ts";
import { type ClusterNode, embeddedBus, startNode } from "../../src/index.ts";
import { chromiumPath } from "../support/chromium.ts";
import { freePort } from "../support/free-port.ts";
import { DESKTOP, PHONE, QUIET, says, textOf, type Visit, visit } from "../support/page-visit.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const PICTURES = ".tmp/live";
const MANY = 100_000;
const READ = "read-token-of-the-test";
const ADMIN = "admin-token-of-the-test";

let browser: Browser;
let node: ClusterNode;
let opened: Visit | undefined;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: chromiumPath(), args: QUIET });
});

afterAll(async () => {
  await browser?.close();
});

beforeEach(async () => {
  const bus = embeddedBus({ port: await freePort() });
  node = await startNode({ cluster: "page", name: "oslo", bus });
});

afterEach(async () => {
  await opened?.page.context().close();
  opened = undefined;
  await node.stop();
});

async function open(url: string, options = {}): Promise<Page> {
  opened = await visit(browser, url, options);
  return opened.page;
}

async function give(page: Page, token: string): Promise<void> {
  if (!(await page.locator("#token-dialog").isVisible()))
    await page.getByRole("button", { name: "Token" }).click();
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Use" }).click();
}

describe("the live page and its connection", () => {
  test("says when its node is not heard, and takes up the thread when it is again", async () => {
    const service = await startService(node, { port: 0 });
    await using proxy = await TcpProxy.start(service.port);
    await node.names.register("first", node.spawn());
    const page = await open(`http://127.0.0.1:${proxy.port}/`, DESKTOP);
    await says(page, "#status-text", /^Live$/);
    await says(page, "#name-rows", "first");
    await says(page, "#ready-text", "Ready");
    proxy.cut();
    await says(page, "#status-text", /^Reconnecting in \d+ s$/);
    await says(page, "#stale", /^The node that serves this page is not heard\. What is shown is .+ old\.$/);
    await page.screenshot({ path: `${PICTURES}/stale-desktop.png` });
    await node.names.register("second", node.spawn());
    proxy.heal();
    await says(page, "#name-rows", "second");
    await says(page, "#status-text", /^Live$/);
    expect(await page.locator("#stale").isVisible()).toBe(false);
    expect((await textOf(page, "#timeline")).match(/first/g)).toHaveLength(1);
    expect(opened?.complaints).toEqual([]);
    await service.close();
  });

  test("asks for a token where one is needed, and lets whoever has one for it evict a name", async () => {
    const tokens = [
      { scope: "read", token: READ },
      { scope: "admin", token: ADMIN },
    ] as const;
    const service = await startService(node, { port: 0, tokens });
    await node.names.register("a/b?c#d <b>", node.spawn());
    const page = await open(`${service.url}/`, { ...PHONE, colorScheme: "light" });
    await says(page, "#status-text", "Token needed");
    await says(page, "#token-why", "this takes a token for read");
    await page.screenshot({ path: `${PICTURES}/token-phone.png` });
    await give(page, "wrong-token-of-the-test");
    await says(page, "#token-why", "the token is not one of this service");
    await give(page, READ);
    await says(page, "#status-text", "Live");
    const evict = page.getByRole("button", { name: "Evict a/b?c#d <b>" });
    await evict.click();
    await says(page, "#evict-words", "Evict a/b?c#d <b> from oslo?");
    await page.screenshot({ path: `${PICTURES}/evict-phone.png` });
    await page.getByRole("button", { name: "Evict", exact: true }).click();
    await says(page, "#said", "a/b?c#d <b> was not evicted: the token does not allow admin");
    await evict.waitFor({ state: "hidden" });
    await give(page, ADMIN);
    await page.reload();
    await evict.click();
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(node.names.count()).toBe(1);
    await evict.click();
    await page.getByRole("button", { name: "Evict", exact: true }).click();
    await says(page, "#said", "a/b?c#d <b> was evicted.");
    await says(page, "#names-note", "There are no names.");
    expect(node.names.count()).toBe(0);
    expect(opened?.complaints).toEqual([]);
    await service.close();
  });

  test("shows some of a hundred thousand names, counts all, and finds each", async () => {
    const holder = node.spawn();
    for (let from = 0; from < MANY; from += 1_000)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, index) => node.names.register(`user:${from + index}`, holder)),
      );
    const service = await startService(node, { port: 0 });
    const page = await open(`${service.url}/`, DESKTOP);
    await says(page, "#name-count", "100,000");
    await says(page, "#names-note", "The first 200 of 100,000 names: search to see others.");
    expect(await page.locator("#name-rows tr").count()).toBe(200);
    await page.getByRole("searchbox").fill("USER:77777");
    await says(page, "#names-note", "1 name of 100,000");
    expect(await textOf(page, "#name-rows")).toMatch(/^user:77777 AP oslo/);
    holder.exit();
    await says(page, "#names-note", "There are no names.");
    await says(page, "#name-count", /^0$/);
    expect(opened?.complaints).toEqual([]);
    await service.close();
  }, 120_000);

  test("serves nothing but its own files, under a policy that lets nothing else in", async () => {
    const service = await startService(node, { port: 0 });
    const answer = await fetch(`${service.url}/`);
    expect(answer.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';/,
    );
    const html = await answer.text();
    const files = Array.from(html.matchAll(/(?:src|href)="([^"#]+)"/g), ([, file]) => file);
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) expect((await fetch(`${service.url}/${file}`)).status, file).toBe(200);
    expect((await fetch(`${service.url}/jsconfig.json`)).status).toBe(404);
    await service.close();
  });
});
