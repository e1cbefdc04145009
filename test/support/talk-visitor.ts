import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { chromiumPath } from "./chromium.ts";
import { eventually } from "./eventually.ts";

/** For whatever is to come about on a page. */
export const SOON = { timeout: 30_000 };

/** So that it looks for nothing outside of this machine. */
const QUIET = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];

export function openBrowser(...args: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: [...QUIET, ...args] });
}

/** What went wrong in any page, and what any asked of other hosts. */
export class Complaints {
  readonly all: string[] = [];

  watch(page: Page): void {
    page.on("console", (message) => {
      // A browser says so of each connection that fails; that one does is what the tests are about.
      if (message.type() === "error" && !/WebSocket|ERR_|Failed to load|blocked by CORS/.test(message.text()))
        this.all.push(message.text());
    });
    page.on("pageerror", (error) => this.all.push(String(error)));
    page.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (protocol !== "data:" && hostname !== "127.0.0.1") this.all.push(`asks ${request.url()}`);
    });
  }
}

/** What the page says of its connection may be gone before anybody looks. */
const KEEP_STATUSES = `
  window.statuses = [];
  new MutationObserver(() => {
    const { textContent } = document.querySelector("#status-text") ?? {};
    if (textContent !== undefined && window.statuses.at(-1) !== textContent) window.statuses.push(textContent);
  }).observe(document, { childList: true, characterData: true, subtree: true });
`;

interface VisitorOptions extends BrowserContextOptions {
  readonly complaints?: Complaints;
  /** Is told each that the page tries. */
  readonly webSockets?: string[];
}

/** Somebody who looks at the page. */
export class TalkVisitor {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(
    browser: Browser,
    url: string,
    { complaints, webSockets, ...options }: VisitorOptions = {},
  ): Promise<TalkVisitor> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    complaints?.watch(page);
    await page.addInitScript(KEEP_STATUSES);
    page.on("websocket", (socket) => webSockets?.push(socket.url()));
    await page.goto(url);
    return new TalkVisitor(page);
  }

  /** Another tab, as a browser makes it of this one: the same visitor. */
  async copy(url: string): Promise<TalkVisitor> {
    const visitor = await this.page.evaluate("sessionStorage.getItem('visitor')");
    const page = await this.page.context().newPage();
    await page.addInitScript(`sessionStorage.setItem("visitor", ${JSON.stringify(visitor)})`);
    await page.goto(url);
    return new TalkVisitor(page);
  }

  async connectedTo(name: string): Promise<void> {
    await this.page.locator(`#status[data-state=connected]:has-text("${name}")`).waitFor(SOON);
  }

  async status(state: string, text = ""): Promise<void> {
    await this.page.locator(`#status[data-state=${state}]`, { hasText: text }).waitFor(SOON);
  }

  /** It is, or was, the status. */
  async hasSaid(text: string): Promise<void> {
    let statuses: readonly string[] = [];
    await eventually(
      async () => {
        statuses = (await this.page.evaluate("window.statuses")) as readonly string[];
        return statuses.some((each) => each.includes(text));
      },
      { withinMs: SOON.timeout, what: () => JSON.stringify(statuses) },
    );
  }

  async rename(name: string): Promise<void> {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByLabel("Your name").blur();
  }

  async rate(rating: number): Promise<void> {
    await this.page.getByLabel("Your rating").fill(`${rating}`);
  }

  async cheer(emoji: string): Promise<void> {
    await this.page.getByRole("button", { name: `Send ${emoji}` }).click();
  }

  async seesAverage(average: string): Promise<void> {
    await this.page.locator("#average").filter({ hasText: average }).waitFor(SOON);
  }

  async seesEmoji(emoji: string): Promise<void> {
    const flying = this.page.locator("#sky span", { hasText: emoji });
    await flying.first().waitFor({ ...SOON, state: "attached" });
  }

  async hint(text: string): Promise<void> {
    await this.page.locator("#hint", { hasText: text }).waitFor(SOON);
  }

  /** A node, as the page shows it: `here`, `reachable` or `gone`. */
  async seesNode(name: string, state: string): Promise<void> {
    await this.page.locator(`#nodes [data-state=${state}]`, { hasText: name }).waitFor(SOON);
  }

  /** Who is there, as the page shows it: names with their nodes. */
  async people(): Promise<readonly string[]> {
    const names = await this.page.locator("#people .who").allInnerTexts();
    return names.map((each) => each.replace(" (you)", "").replace(/\s+/g, " ").trim());
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

export async function everybodySees(visitors: readonly TalkVisitor[], expected: readonly string[]) {
  let seen: (readonly string[])[] = [];
  await eventually(
    async () => {
      seen = await Promise.all(visitors.map((each) => each.people()));
      return seen.every((each) => JSON.stringify([...each].sort()) === JSON.stringify(expected));
    },
    { withinMs: SOON.timeout, what: () => JSON.stringify(seen) },
  );
}
