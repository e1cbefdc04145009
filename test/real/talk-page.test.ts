import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";

/** Where a person can look at the page afterwards. */
const PICTURES = ".tmp/talk";
const SOON = { timeout: 20_000 };
/** By when a page whose node was killed is well again. */
const MOVED_MS = 10_000;

/** So that it looks for nothing outside of this machine. */
const QUIET = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];

let program: ChildProcess;
let output = "";
let browser: Browser;
/** What went wrong in any page, and what any asked of other hosts. */
const complaints: string[] = [];

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  const port = await freePort();
  const args = ["--import", "tsx", "examples/phoenix-like-pubsub/main.ts", "--port", `${port}`];
  args.push("--bus-port", `${await freePort()}`);
  const env = { ...process.env, TSX_TSCONFIG_PATH: "tsconfig.build.json" };
  program = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [program.stdout, program.stderr])
    stream?.on("data", (data: Buffer) => {
      output += data.toString();
    });
  await eventually(() => output.includes("Ctrl-C ends all"), { withinMs: 60_000, what: () => output });
  browser = await chromium.launch({ executablePath: chromiumPath(), args: QUIET });
});

afterAll(async () => {
  await browser?.close();
  program.kill("SIGTERM");
  await eventually(() => program.exitCode !== null, { withinMs: 20_000 });
  expect(program.exitCode).toBe(130);
  expect(output).not.toContain("was killed");
});

/** The address of a node, and its process. */
function nodeOf(name: string): { readonly url: string; readonly pid: number } {
  const [, url = "", pid = ""] = new RegExp(`${name} +(\\S+) .*process (\\d+)`).exec(output) ?? [];
  return { url, pid: Number(pid) };
}

async function visit(name: string, visitor: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (message) => {
    // A browser says so of each connection that fails; that one does is what the test is about.
    if (message.type() === "error" && !/WebSocket|ERR_CONNECTION|Failed to load/.test(message.text()))
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol !== "data:" && hostname !== "127.0.0.1") complaints.push(`asks ${request.url()}`);
  });
  await page.goto(nodeOf(name).url);
  await connectedTo(page, name);
  await page.getByLabel("Your name").fill(visitor);
  await page.getByLabel("Your name").blur();
  return page;
}

async function connectedTo(page: Page, name: string): Promise<void> {
  await page.locator(`#status[data-state=connected]:has-text("${name}")`).waitFor(SOON);
}

async function rate(page: Page, rating: number): Promise<void> {
  await page.getByLabel("Your rating").fill(`${rating}`);
}

async function shows(page: Page, average: string): Promise<void> {
  await page.locator(`#average:has-text("${average}")`).waitFor(SOON);
}

/** Who is there, as the page shows it. */
async function people(page: Page): Promise<readonly string[]> {
  const names = await page.locator("#people .who").allInnerTexts();
  return names.map((each) => each.replace(" (you)", "").replace(/\s+/g, " ").trim());
}

async function everybodySees(pages: readonly Page[], expected: readonly string[], withinMs: number) {
  let seen: (readonly string[])[] = [];
  await eventually(
    async () => {
      seen = await Promise.all(pages.map(people));
      return seen.every((each) => JSON.stringify([...each].sort()) === JSON.stringify(expected));
    },
    { withinMs, what: () => JSON.stringify(seen) },
  );
}

describe("the page for a talk", () => {
  test("shows what visitors of all nodes do, and goes on elsewhere when a node is killed", async () => {
    const ann = await visit("talk-1", "Ann");
    const bob = await visit("talk-2", "Bob", { viewport: { width: 390, height: 844 }, hasTouch: true });
    const cid = await visit("talk-3", "Cid", { colorScheme: "dark" });
    const pages = [ann, bob, cid];
    await everybodySees(pages, ["Ann talk-1", "Bob talk-2", "Cid talk-3"], 20_000);

    // The longest name there can be is no wider than a phone.
    await cid.getByLabel("Your name").fill("W".repeat(24));
    await cid.getByLabel("Your name").blur();
    await bob.getByText("WWWW").first().waitFor(SOON);
    const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    expect(await bob.evaluate(overflow)).toBe(0);
    await cid.getByLabel("Your name").fill("Cid");
    await cid.getByLabel("Your name").blur();

    await rate(ann, 8);
    for (const page of pages) await shows(page, "8.0");
    await rate(bob, 5);
    for (const page of pages) await shows(page, "6.5");

    const cheered = bob.locator("#sky span");
    await ann.getByRole("button", { name: "Send 👏" }).click();
    await cheered.first().waitFor({ ...SOON, state: "attached" });
    expect(await cheered.first().innerText()).toBe("👏");
    await cid.getByRole("button", { name: "Send 🤯" }).click();
    await ann
      .locator("#sky span", { hasText: "🤯" })
      .first()
      .waitFor({ ...SOON, state: "attached" });
    await ann.screenshot({ path: `${PICTURES}/1-wide.png` });
    await bob.screenshot({ path: `${PICTURES}/2-phone.png`, fullPage: true });
    await cid.screenshot({ path: `${PICTURES}/3-dark.png` });

    process.kill(nodeOf("talk-2").pid, "SIGKILL");
    const killedMs = performance.now();
    await bob.locator("#status[data-state=moving]").waitFor(SOON);
    await connectedTo(bob, "talk-3");
    const left = MOVED_MS - (performance.now() - killedMs);
    await everybodySees(pages, ["Ann talk-1", "Bob talk-3", "Cid talk-3"], left);
    for (const page of pages) await shows(page, "6.5");
    await bob.screenshot({ path: `${PICTURES}/4-moved.png`, fullPage: true });

    await rate(bob, 10);
    for (const page of pages) await shows(page, "9.0");
    await cid.close();
    await everybodySees([ann, bob], ["Ann talk-1", "Bob talk-3"], 20_000);
    expect(complaints).toEqual([]);
  }, 120_000);
});
