import { describe, expect, test } from "vitest";
import { Narrator, pageOf } from "../../../src/cli/demo/narrator.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";

describe("the story", () => {
  test("has a time on each line, and none of a terminal's codes where there is no terminal", () => {
    const { narrator, clock, written } = onPage(false);
    narrator.scene("A beginning.");
    clock.advanceBy(1_500);
    narrator.says("something is done");
    narrator.holds("so it is");
    narrator.fails("so it is not", ["a reason"]);
    expect(written.join("")).toBe(
      [
        "",
        "1. A beginning.",
        "   1.50 s   something is done",
        "   1.50 s ✓ so it is",
        "   1.50 s ✗ NOT SO: so it is not",
        "   1.50 s     missing: a reason",
        "",
      ].join("\n"),
    );
    expect(narrator.checks).toBe(1);
  });

  test("shows what was seen at the time when it was", () => {
    const { narrator, clock, written } = onPage(false);
    const startMs = clock.now().wallMs;
    clock.advanceBy(2_000);
    narrator.saw(startMs + 120, "n1: n2 down");
    expect(written.join("")).toBe("   0.12 s · n1: n2 down\n");
  });

  test("never goes back in time: what was seen before the line above has that line's time", () => {
    const { narrator, clock, written } = onPage(false);
    const startMs = clock.now().wallMs;
    clock.advanceBy(2_010);
    narrator.strikes("kill -9 1");
    narrator.saw(startMs + 2_000, "n1: n2 down");
    narrator.saw(startMs + 2_500, "n3: n2 down");
    clock.advanceBy(100);
    narrator.says("goes on");
    expect(written.join("")).toBe(
      [
        "   2.01 s ! kill -9 1",
        "   2.01 s · n1: n2 down",
        "   2.50 s · n3: n2 down",
        "   2.50 s   goes on",
        "",
      ].join("\n"),
    );
  });

  test("explains each of its signs", () => {
    const { narrator, written } = onPage(false);
    narrator.title("A story", "Over a bus.");
    const title = written.join("");
    for (const sign of ["!", "·", "✓", "✗"]) expect(title).toMatch(new RegExp(`^  ${sign} `, "m"));
  });

  test("is coloured on a terminal", () => {
    const { narrator, written } = onPage(true);
    narrator.holds("so it is");
    expect(written.join("")).toContain("\u001b[32mso it is\u001b[39m");
  });

  test("falls silent when the reader has had enough", () => {
    const { narrator, written } = onPage(false);
    narrator.hush();
    narrator.says("more");
    narrator.scene("Even more.");
    expect(written).toStrictEqual([]);
  });
});

describe("colour", () => {
  test.each([
    ["on a terminal", true, {}, true],
    ["not into a file or pipe", undefined, {}, false],
    ["not for who set NO_COLOR", true, { NO_COLOR: "1" }, false],
    ["with NO_COLOR empty, which does not count", true, { NO_COLOR: "" }, true],
    ["not on a terminal that knows none", true, { TERM: "dumb" }, false],
  ])("%s", (_title, isTTY, environment, colour) => {
    expect(pageOf({ isTTY } as NodeJS.WriteStream, environment).colour).toBe(colour);
  });
});

function onPage(colour: boolean) {
  const clock = new VirtualClock();
  const written: string[] = [];
  const narrator = new Narrator({ write: (text) => void written.push(text), colour }, clock);
  return { narrator, clock, written };
}
