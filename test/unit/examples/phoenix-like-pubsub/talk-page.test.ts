import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TalkPage } from "../../../support/talk-page.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets everything happen that the page has put off, and is not waiting for an answer to. */
function putOff(): void {
  vi.advanceTimersByTime(3_000);
}

test("what a visitor does while a join is under way is said when they are in", async () => {
  using page = await TalkPage.open();
  const join = await page.says("phx_join");
  page.doings.rate(9);
  page.doings.rename("Ann");
  putOff();
  page.answer(join, "ok", { node: "talk-1", name: join[4]["name"] });
  const rename = await page.says("rename");
  expect(rename[4]).toEqual({ name: "Ann" });
  expect((await page.says("rate"))[4]).toEqual({ rating: 9 });
  page.answer(rename, "ok", { name: "Ann" });
  expect([page.shown, page.remembered]).toMatchObject([{ name: "Ann" }, { name: "Ann", rating: 9 }]);
});

test("what the join has said is not said again", async () => {
  using page = await TalkPage.open();
  const join = await page.says("phx_join");
  page.answer(join, "ok", { node: "talk-1", name: "Fig 1" });
  putOff();
  expect([page.said, page.shown?.name]).toEqual([[], "Fig 1"]);
});

test("what a visitor does between two nodes is said at the second", async () => {
  using page = await TalkPage.open();
  const first = await page.says("phx_join");
  page.answer(first, "ok", { node: "talk-1", name: "Fig 1" });
  page.breakOff();
  page.doings.rate(3);
  const second = await page.says("phx_join");
  expect(second[4]).toMatchObject({ name: "Fig 1", rating: 3 });
  page.doings.rename("Ann");
  page.answer(second, "ok", { node: "talk-2", name: "Fig 1" });
  expect((await page.says("rename"))[4]).toEqual({ name: "Ann" });
  putOff();
  expect(page.said).toEqual([]);
});

test("what was not answered before the channel crashed is said by the join that follows", async () => {
  using page = await TalkPage.open();
  const join = await page.says("phx_join");
  page.answer(join, "ok", { node: "talk-1", name: "Fig 1" });
  page.doings.rename("Ann");
  await page.says("rename");
  page.fail(join);
  const again = await page.says("phx_join");
  expect(again[4]).toMatchObject({ name: "Ann" });
  page.answer(again, "ok", { node: "talk-1", name: "Ann" });
  putOff();
  expect([page.said, page.shown?.name]).toEqual([[], "Ann"]);
});

test("a late refusal takes away no name that was chosen after it", async () => {
  using page = await TalkPage.open();
  page.answer(await page.says("phx_join"), "ok", { node: "talk-1", name: "Fig 1" });
  page.doings.rename("\u200b");
  page.doings.rename("Ann");
  const [unseen, ann] = [await page.says("rename"), await page.says("rename")];
  page.answer(unseen, "error", { reason: "something that can be seen", field: "name" });
  expect(page.remembered.name).toBe("Ann");
  page.answer(ann, "ok", { name: "Ann" });
  expect([page.shown?.name, page.remembered.name, page.hints]).toEqual(["Ann", "Ann", []]);
});

test("a name that is refused gives way to the last that was taken, also if that was not the last chosen then", async () => {
  using page = await TalkPage.open();
  page.answer(await page.says("phx_join"), "ok", { node: "talk-1", name: "Fig 1" });
  page.doings.rename("Ann");
  page.doings.rename("\u200b");
  const [ann, unseen] = [await page.says("rename"), await page.says("rename")];
  page.answer(ann, "ok", { name: "Ann" });
  page.answer(unseen, "error", { reason: "something that can be seen", field: "name" });
  expect([page.shown?.name, page.remembered.name]).toEqual(["Ann", "Ann"]);
  expect(page.hints).toEqual(["Not that name: it takes something that can be seen."]);
});

test("a join that is refused for its name takes away no name that was chosen meanwhile", async () => {
  using page = await TalkPage.open();
  const join = await page.says("phx_join");
  page.doings.rename("Ann");
  page.answer(join, "error", { reason: "something that can be seen", field: "name" });
  expect((await page.says("phx_join"))[4]).toMatchObject({ name: "Ann" });
});
