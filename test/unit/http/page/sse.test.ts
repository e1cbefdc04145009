import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SseEvent, SseParser } from "../../../../src/http/page/sse.js";

function parsed(...texts: readonly string[]): readonly SseEvent[] {
  const parser = new SseParser();
  return texts.flatMap((text) => parser.push(text));
}

describe("server-sent events", () => {
  test("have a name, data in lines, and the last id that was given", () => {
    expect(parsed("id: 7\nevent: state\ndata: one\ndata:two\n\ndata: three\n\n")).toEqual([
      { event: "state", data: "one\ntwo", id: "7" },
      { event: "message", data: "three", id: "7" },
    ]);
  });

  test("do not come of comments, of what has no data, or before their end", () => {
    expect(parsed(": still here\n\n", "event: a\n\n", "id: 3\n\n", "unknown: x\ndata: yes\n")).toEqual([]);
    expect(parsed("event: a\n\ndata\n\n")).toEqual([{ event: "message", data: "", id: "" }]);
  });

  test("take an id only when they are told, and none with a null in it", () => {
    const parser = new SseParser();
    expect(parser.push("id: 1\ndata: a\n\nid: 2\ndata: b\n").at(-1)?.id).toBe("1");
    expect(parser.push("\nid: 3\0\ndata: c\n\n").map(({ id }) => id)).toEqual(["2", "2"]);
  });

  test("can tell for how long to wait", () => {
    const parser = new SseParser();
    parser.push("retry: soon\n\n");
    expect(parser.retryMs).toBeUndefined();
    parser.push("retry: 1500\n\n");
    expect(parser.retryMs).toBe(1_500);
  });

  test("are the same wherever the stream is cut, and whatever ends its lines", () => {
    const lines = [": first", "event: état", 'data: {"a":1}', "data:  two", "id: e.1", "", "data: x", "", ""];
    const whole = parsed(lines.join("\n"));
    expect(whole).toHaveLength(2);
    fc.assert(
      fc.property(
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.array(fc.nat(lines.join("\r\n").length), { maxLength: 12 }),
        (end, cuts) => {
          const text = lines.join(end);
          const places = [0, ...cuts.sort((a, b) => a - b), text.length];
          const parts = places.slice(1).map((to, index) => text.slice(places[index], to));
          // A return at the very end may be half of a line end.
          expect(parsed(...parts, end === "\r" ? "\n" : "")).toEqual(whole);
        },
      ),
    );
  });

  test("have an end, or the stream is given up", () => {
    const parser = new SseParser();
    const much = "x".repeat(16 * 1024 * 1024);
    parser.push("data: ");
    expect(() => {
      for (let count = 0; count < 5; count += 1) parser.push(much);
    }).toThrow("too long");
  });
});
