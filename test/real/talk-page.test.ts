import { mkdirSync } from "node:fs";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";
import { Talk } from "../support/talk.ts";
import { Complaints, everybodySees, openBrowser, SOON, TalkVisitor } from "../support/talk-visitor.ts";

/** Where a person can look at the page afterwards. */
const PICTURES = ".tmp/talk";
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true };

let talk: Talk;
let browser: Browser;
const complaints = new Complaints();

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  talk = await Talk.start(["--port", `${await freePort()}`, "--bus-port", `${await freePort()}`]);
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  expect(await talk.end()).toBe(130);
  expect(talk.output).not.toContain("was killed");
});

/** Nobody who was in one test is there in the next. */
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
});

async function visit(node: string, name: string, options: BrowserContextOptions = {}): Promise<TalkVisitor> {
  const visitor = await TalkVisitor.open(browser, talk.node(node).url, { ...options, complaints });
  await visitor.connectedTo(node);
  await visitor.rename(name);
  return visitor;
}

test("names are shown as far as they can be seen, in their own direction, and no wider than a phone", async () => {
  const ann = await visit("talk-1", "Ann", PHONE);
  const bob = await visit("talk-2", "Bob");
  await bob.rename("W".repeat(24));
  await ann.page.getByText("WWWW").first().waitFor(SOON);
  const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
  expect(await ann.page.evaluate(overflow)).toBe(0);

  await bob.rename("\u202eeve\u200b (uoy)");
  await everybodySees([ann, bob], ["Ann talk-1", "eve (uoy) talk-2"]);
  expect(await bob.page.getByLabel("Your name").inputValue()).toBe("eve (uoy)");
  await bob.rename("\u200b\u200d");
  await bob.hint("Not that name: it takes something that can be seen.");
  expect(await bob.page.getByLabel("Your name").inputValue()).toBe("eve (uoy)");
  expect(await ann.page.locator("#people bdi").allInnerTexts()).toEqual(["Ann", "eve (uoy)"]);

  // The last of many at once counts, though it was too much.
  for (let each = 0; each < 9; each += 1) await bob.rename(`Bob ${each}`);
  await everybodySees([ann, bob], ["Ann talk-1", "Bob 8 talk-2"]);
}, 120_000);

test("of a visitor in two tabs all pages show what was said last, those that come later too", async () => {
  const ann = await visit("talk-1", "Ann");
  const again = await ann.copy(talk.node("talk-3").url);
  await again.connectedTo("talk-3");
  for (const [tab, rating] of [
    [ann, 2],
    [again, 9],
    [ann, 3],
    [again, 8],
  ] as const) {
    await tab.rate(rating);
    const average = `${rating}.0`;
    await ann.seesAverage(average);
    await again.seesAverage(average);
    const late = await visit("talk-2", "Late");
    await late.seesAverage(average);
    await late.close();
  }
}, 120_000);

test("who sends more emoji than they may is told so", async () => {
  const ann = await visit("talk-1", "Ann");
  const cheering = `for (let each = 0; each < 60; each += 1) document.querySelector("#emoji button").click()`;
  await ann.page.evaluate(cheering);
  await ann.hint("That was a lot at once: not sent.");
});

test.each(["light", "dark"] as const)("faces and controls stand out, in %s", async (colorScheme) => {
  const ann = await visit("talk-1", "Ann", { colorScheme });
  await everybodySees([ann], ["Ann talk-1"]);
  await ann.seesNode("talk-2", "reachable");
  const contrasts = (await ann.page.evaluate(CONTRASTS)) as Record<string, number>;
  expect(Object.keys(contrasts)).toEqual(["face", "name", "emoji", "node"]);
  expect(contrasts["face"]).toBeGreaterThanOrEqual(4.5);
  for (const contrast of Object.values(contrasts)) expect(contrast).toBeGreaterThanOrEqual(3);
});

/** After WCAG 2: of letters on faces of any hue, the least; and of the edges of what can be used, to what they stand on. */
const CONTRASTS = `(() => {
  const light = (color) => {
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const [red, green, blue] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (...colors) => {
    const [dark, bright] = colors.map(light).sort((left, right) => left - right);
    return (bright + 0.05) / (dark + 0.05);
  };
  const style = (of) => getComputedStyle(typeof of === "string" ? document.querySelector(of) : of);
  const face = document.querySelector(".face");
  const faces = Array.from({ length: 360 }, (_each, hue) => {
    face.style.setProperty("--hue", hue);
    return contrast(style(face).backgroundColor, style(face).color);
  });
  const card = style(".card").backgroundColor;
  return {
    face: Math.min(...faces),
    name: contrast(style("#name").borderTopColor, card),
    emoji: contrast(style("#emoji button").borderTopColor, card),
    node: contrast(style("#nodes a[data-state=reachable]").borderTopColor, style("body").backgroundColor),
  };
})()`;

test("shows what visitors of all nodes do, goes on elsewhere when a node is killed, and knows it when it is back", async () => {
  const ann = await visit("talk-1", "Ann");
  const bob = await visit("talk-2", "Bob", PHONE);
  const cid = await visit("talk-3", "Cid", { colorScheme: "dark" });
  const all = [ann, bob, cid];
  await everybodySees(all, ["Ann talk-1", "Bob talk-2", "Cid talk-3"]);
  await bob.seesNode("talk-2", "here");
  for (const other of ["talk-1", "talk-3"]) await bob.seesNode(other, "reachable");

  // Else it would be read out whenever anybody moves a slider.
  const live = `document.querySelector("#average").closest("output, [aria-live], [role=status]")`;
  expect(await ann.page.evaluate(live)).toBeNull();
  await ann.rate(8);
  for (const each of all) await each.seesAverage("8.0");
  await bob.rate(5);
  for (const each of all) await each.seesAverage("6.5");
  await ann.cheer("👏");
  await bob.seesEmoji("👏");
  await cid.cheer("🤯");
  await ann.seesEmoji("🤯");
  await ann.page.screenshot({ path: `${PICTURES}/1-wide.png` });
  await bob.page.screenshot({ path: `${PICTURES}/2-phone.png`, fullPage: true });
  await cid.page.screenshot({ path: `${PICTURES}/3-dark.png` });

  process.kill(talk.node("talk-2").pid, "SIGKILL");
  await bob.hasSaid("talk-2 is gone, moving on …");
  await bob.connectedTo("talk-3");
  await everybodySees(all, ["Ann talk-1", "Bob talk-3", "Cid talk-3"]);
  for (const each of all) await each.seesAverage("6.5");
  for (const each of all) await each.seesNode("talk-2", "gone");
  await bob.seesNode("talk-3", "here");
  expect(await bob.page.locator("#nodes [aria-current]").allInnerTexts()).toEqual([
    expect.stringContaining("talk-3"),
  ]);
  await bob.page.screenshot({ path: `${PICTURES}/4-moved.png`, fullPage: true });
  await cid.page.screenshot({ path: `${PICTURES}/5-dark-gone.png`, fullPage: true });
  await bob.rate(10);
  for (const each of all) await each.seesAverage("9.0");

  // By hand, with the command that it gave.
  const [, command = ""] =
    /talk-2 is gone; .* Start it again: npm run example:pubsub -- (.*)/.exec(talk.output) ?? [];
  await using back = await Talk.start(command.split(" "));
  expect(back.output).toContain("It has joined the others.");
  for (const each of all) await each.seesNode("talk-2", "reachable");
  const dan = await TalkVisitor.open(browser, back.node("talk-2").url, { complaints });
  await dan.connectedTo("talk-2");
  await dan.rename("Dan");
  await everybodySees([...all, dan], ["Ann talk-1", "Bob talk-3", "Cid talk-3", "Dan talk-2"]);
  await cid.close();
  await everybodySees([ann, bob], ["Ann talk-1", "Bob talk-3", "Dan talk-2"]);
  await dan.close();
  expect(await back.end()).toBe(130);
  await ann.seesNode("talk-2", "gone");
  expect(complaints.all).toEqual([]);
}, 120_000);
