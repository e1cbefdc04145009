import { mkdirSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { LiveStage, MARKUP } from "../support/live-stage.ts";
import { DESKTOP, PHONE, QUIET, says, textOf, type Visit, visit } from "../support/page-visit.ts";

/** Where a person can look at the page afterwards. */
const PICTURES = ".tmp/live";

let browser: Browser;

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await chromium.launch({ executablePath: chromiumPath(), args: QUIET });
});

afterAll(async () => {
  await browser?.close();
});

/** The names of nodes, as the list has them in that state. */
async function nodesThatAre(page: Page, state: string): Promise<readonly string[]> {
  return page.locator(`#node-list [data-state=${state}] bdi`).allInnerTexts();
}

async function fits(page: Page): Promise<boolean> {
  return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth");
}

describe("the live page during a partition", () => {
  let stage: LiveStage;
  let visits: Readonly<Record<"desktop" | "phone" | "dark", Visit>>;

  beforeAll(async () => {
    stage = await LiveStage.start();
    const { url } = stage.service;
    visits = {
      desktop: await visit(browser, `${url}/`, { ...DESKTOP, colorScheme: "light" }),
      phone: await visit(browser, `${url}/`, { ...PHONE, colorScheme: "dark", reducedMotion: "reduce" }),
      dark: await visit(browser, `${url}/`, { ...DESKTOP, colorScheme: "dark" }),
    };
  });

  afterAll(async () => {
    for (const { page } of Object.values(visits ?? {})) await page.context().close();
    await stage?.stop();
  });

  const everywhere = async (where: string, text: string | RegExp): Promise<void> => {
    for (const { page } of Object.values(visits)) await says(page, where, text);
  };
  const photograph = async (when: string): Promise<void> => {
    for (const [where, { page }] of Object.entries(visits)) {
      // Nodes glide to where they belong.
      await eventually(() =>
        page.evaluate(
          "document.getAnimations().every((each) => each.effect?.getComputedTiming().iterations === Infinity || each.playState === 'finished')",
        ),
      );
      await page.screenshot({ path: `${PICTURES}/${when}-${where}.png`, fullPage: true });
      expect(await fits(page)).toBe(true);
    }
  };

  test("shows who is heard, and who holds what", async () => {
    await everywhere("#headline", "All 5 nodes are heard");
    await everywhere("#status-text", /^Live/);
    await everywhere("#ready-text", "Ready");
    const { page } = visits.desktop;
    expect(await nodesThatAre(page, "self")).toEqual(["oslo"]);
    expect(await nodesThatAre(page, "up")).toEqual(["cairo", "delhi", "lima", "perth"]);
    expect(await textOf(page, "#name-count")).toBe("16");
    expect(await textOf(page, "#strict-count")).toBe("2");
    expect(await textOf(page, "#member-count")).toBe("21 memberships");
    await page.getByRole("searchbox").fill("ledger");
    await says(page, "#names-note", "1 name of 18");
    expect(await textOf(page, "#name-rows tr")).toMatch(/^ledger CP ?token \d+ perth/);
    await page.getByRole("searchbox").fill("");
    await says(page, "#names-note", "18 names");
    await photograph("before");
  }, 90_000);

  test("shows names for what they are, whatever they are", async () => {
    const { page } = visits.desktop;
    await says(page, "#name-rows", MARKUP);
    await says(page, "#name-rows", "pay\\u{202e}gnillib\\u{202c}/\\u{200b}due");
    expect(await page.locator("main img").count()).toBe(0);
    expect(await page.title()).toBe("Rollcall");
    const row = page.locator("#name-rows tr", { hasText: "<img" });
    await row.locator("summary").click();
    const opened = await row.locator("pre").innerText();
    expect(opened).toContain("<script>");
    expect(opened.length).toBeGreaterThan(10_000);
    await row.locator("summary").click();
  });

  test("shows a partition while it lasts", async () => {
    stage.split();
    await everywhere("#headline", /^\d of 5 nodes (is|are) heard/);
    await visits.desktop.page.screenshot({ path: `${PICTURES}/doubt-desktop.png` });
    await everywhere("#headline", "3 of 5 nodes are heard");
    const billing = stage.node("cairo").spawn();
    await eventually(() => stage.node("cairo").names.whereis("billing") === undefined, { withinMs: 20_000 });
    await stage.node("cairo").names.register("billing", billing);
    const { page } = visits.desktop;
    await everywhere(
      "#details",
      /^delhi and perth went silent \d+ s ago\. \d+ names and 9 memberships purged\.$/,
    );
    expect(await nodesThatAre(page, "down")).toEqual(["delhi", "perth"]);
    expect(await page.locator("#nodes .node.down").count()).toBe(2);
    expect(await page.locator("#links line").count()).toBe(2);
    await says(page, "#timeline", "billing failed over from delhi to cairo");
    await says(page, "#timeline", /names of perth purged/);
    const taken = await stage
      .node("oslo")
      .strictNames.register("ledger", stage.node("oslo").spawn(), { wait: true });
    await says(page, "#timeline", `ledger moved from perth to oslo, token ${taken.token}`);
    await photograph("during");
  }, 90_000);

  test("shows a page that comes late what it has missed", async () => {
    const late = await visit(browser, `${stage.service.url}/`, DESKTOP);
    await says(late.page, "#headline", "3 of 5 nodes are heard");
    await says(late.page, "#details", /delhi and perth went silent .* and 9 memberships purged/);
    await says(late.page, "#timeline", "billing failed over from delhi to cairo");
    expect(late.complaints).toEqual([]);
    await late.page.context().close();
  });

  test("shows the heal, and how each clash was decided", async () => {
    stage.heal();
    await everywhere("#headline", "All 5 nodes are heard again");
    await everywhere("#clash-rows", /billing.*delhi keeps it, cairo loses it/);
    await everywhere("#details", /delhi and perth were away for \d+ s\. 1 name clash decided\./);
    const { page } = visits.desktop;
    await says(page, "#name-count", "16");
    expect(await nodesThatAre(page, "up")).toEqual(["cairo", "delhi", "lima", "perth"]);
    await photograph("after");
  }, 90_000);

  test("holds its timeline for whoever reads it, and shows a part of it", async () => {
    const { page } = visits.desktop;
    await page.getByRole("button", { name: "Hold" }).click();
    await stage.node("lima").names.register("late", stage.node("lima").spawn());
    await says(page, "#name-rows", "late");
    expect(await textOf(page, "#timeline")).not.toContain("late");
    await page.getByRole("button", { name: "Go on" }).click();
    await says(page, "#timeline", "late (AP) registered by lima");
    await page.getByLabel("Which events").selectOption("Nodes");
    await says(
      page,
      "#timeline",
      /^((?!registered|purged|Clash).)*Node perth is heard((?!registered|purged|Clash).)*$/,
    );
    await page.getByLabel("Which names").selectOption("Strict (CP)");
    await says(page, "#names-note", "2 names of 19");
  });

  test("nothing went wrong in any of the pages, and no other host was asked", () => {
    for (const { complaints } of Object.values(visits)) expect(complaints).toEqual([]);
  });
});
