import { describe, expect, test } from "vitest";
import { drawSvg } from "../../../../examples/ap-and-cp/svg.ts";
import type { Timeline } from "../../../../examples/ap-and-cp/timeline.ts";
import { AVAILABLE, STRICT } from "./cast.ts";

const HOSTILE = `</text><script>"&'\u0000\ud800`;

describe("the picture of a round", () => {
  const svg = drawSvg([AVAILABLE, STRICT]);

  test("is well-formed, and needs nothing from elsewhere", () => {
    expect(unclosed(svg)).toEqual([]);
    const addresses = svg.match(/\w+:\/\/[^"']+|(?:href|src|@import)\b/g);
    expect(addresses).toEqual(["http://www.w3.org/2000/svg"]);
  });

  test("says in words what it shows, for who does not see it", () => {
    const [, description = ""] = /<desc id="ap-and-cp-description">([\s\S]*?)<\/desc>/.exec(svg) ?? [];
    expect(svg).toContain('role="img" aria-labelledby="ap-and-cp-title ap-and-cp-description"');
    expect(svg).toContain('<title id="ap-and-cp-title">One program, one partition');
    expect(description).toContain(
      "6.40 s: the resolver runs, on east-1: east-1 and west-2 met, east-1 stays.",
    );
    expect(description).toContain("3.98 s: east-1 stops: it lost its lease.");
    expect(description).toContain("two ran at once: available names 2,500 ms; strict names 0 ms.");
  });

  test("has both timelines, each node's lane in each, and a word on every bar", () => {
    for (const title of ["Available names (node.names)", "Strict names (node.strictNames)"])
      expect(svg).toMatch(new RegExp(`<text[^>]*>${title.replaceAll(/[()]/g, "\\$&")}`));
    for (const node of ["west-1", "west-2", "east-1"])
      expect(svg.match(new RegExp(`<text[^>]*>${node}</text>`, "g"))).toHaveLength(2);
    expect(svg).toContain("<title>east-1 ran from 1.00 s to 3.98 s, token 1795259806252000</title>");
    expect(svg.match(/<rect class="run" x="[\d.]+" y/g)).toHaveLength(4 + 1);
  });

  test("marks red what ran at once, and nothing of the strict names", () => {
    const [available = "", strict = ""] = svg.split(
      "Strict names (node.strictNames): the majority goes on, alone</text>",
    );
    expect(available.match(/<rect class="both"/g)).toHaveLength(2);
    const [lanes = ""] = strict.split("runs; a dot");
    expect(lanes).not.toContain('class="both"');
    expect(lanes).not.toContain('class="note-both"');
    expect(lanes).toContain('class="note-none"');
  });

  test("is readable on light and on dark", () => {
    expect(svg).toMatch(
      /\.paper\{fill:#ffffff\}.*@media \(prefers-color-scheme:dark\)\{\.paper\{fill:#0d1117\}/s,
    );
    expect(svg).toContain('<rect class="paper"');
  });

  test("shows names as they are, whatever stands in them", () => {
    const holdings = [{ node: HOSTILE, fromMs: 0, toMs: 9_000, end: HOSTILE, token: HOSTILE }];
    const sides = [{ name: HOSTILE, nodes: [HOSTILE], servers: [] }];
    const hostile: Timeline = { ...STRICT, sides, holdings };
    const drawn = drawSvg([hostile]);
    expect(unclosed(drawn)).toEqual([]);
    expect(drawn).not.toContain("<script");
    expect(drawn).toContain("&lt;/text&gt;&lt;script&gt;&quot;&amp;&#39;\ufffd\ufffd</text>");
    expect(drawn).not.toContain("\u0000");
  });
});

/** The elements that are left open, or were closed without having been opened. */
function unclosed(xml: string): readonly string[] {
  const open: string[] = [];
  for (const [, end = "", name = "", self = ""] of xml.matchAll(
    /<(\/?)([a-z]+)(?:\s+[\w:-]+="[^"<]*")*\s*(\/?)>/g,
  )) {
    if (self === "/") continue;
    if (end === "") open.push(name);
    else if (open.at(-1) === name) open.pop();
    else open.push(`/${name}`);
  }
  // Whatever is left when all tags are gone must be text.
  const rest = xml.replaceAll(/<\/?[a-z]+(?:\s+[\w:-]+="[^"<]*")*\s*\/?>/g, "");
  return /[<>]/.test(rest) ? [...open, "stray <"] : open;
}
