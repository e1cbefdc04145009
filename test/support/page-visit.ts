import type { Browser, BrowserContextOptions, Page } from "playwright-core";

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
