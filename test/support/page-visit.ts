import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { eventually } from "./eventually.ts";

/** Far above what anything takes that these pages show. */
const WITHIN_MS = 30_000;

/** So that it looks for nothing outside of this machine. */
export const QUIET = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];

export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 };
export const DESKTOP = { viewport: { width: 1280, height: 900 } };

export interface Visit {
  readonly page: Page;
  /** What went wrong in the page, and what it asked of other hosts. */
  readonly complaints: readonly string[];
}

/** Opens a page, and keeps what it complains of. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    // A browser says so of each answer that is a refusal; what becomes of it the page shows.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  const { host } = new URL(url);
  page.on("request", (request) => {
    if (new URL(request.url()).host !== host) complaints.push(`asks ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}

/** What a part of the page says, in one line. */
export async function textOf(page: Page, where: string): Promise<string> {
  return (await page.locator(where).innerText()).replace(/\s+/g, " ").trim();
}

/** Waits until a part of the page says this. */
export async function says(page: Page, where: string, expected: string | RegExp): Promise<void> {
  let seen = "";
  await eventually(
    async () => {
      seen = await textOf(page, where);
      return typeof expected === "string" ? seen.includes(expected) : expected.test(seen);
    },
    { withinMs: WITHIN_MS, what: () => `${where} says ${JSON.stringify(seen)} and not ${expected}` },
  );
}
