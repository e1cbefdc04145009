import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPage, servePage } from "../../../../examples/phoenix-like-pubsub/page-files.ts";
import { ask } from "./asking.ts";

const SITE = { node: "talk-2", ports: [1, 2, 3], origins: ["http://h:1", "http://h:2"] };
const HEADERS = {
  "content-security-policy": expect.stringMatching(
    /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' http:\/\/h:1 ws:\/\/h:1 http:\/\/h:2 ws:\/\/h:2; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  ),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

let server: Server;
beforeAll(async () => {
  server = createServer(servePage(readPage(), SITE));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

test.each([
  ["/", "text/html; charset=utf-8", "<!doctype html>"],
  ["/?from=somewhere", "text/html; charset=utf-8", "<!doctype html>"],
  ["/style.css", "text/css; charset=utf-8", ":root"],
  ["/talk.js", "text/javascript; charset=utf-8", "new Socket("],
  ["/view.js", "text/javascript; charset=utf-8", "export function"],
  ["/latest.js", "text/javascript; charset=utf-8", "export function latest"],
  ["/visitor.js", "text/javascript; charset=utf-8", "export function remembered"],
  ["/phoenix.mjs", "text/javascript; charset=utf-8", "longpoll"],
  ["/site.json", "application/json", JSON.stringify(SITE)],
])("%s is served as %s, with a policy that lets nothing in from elsewhere", async (path, type, beginning) => {
  const got = await ask(server, path);
  expect(got).toMatchObject({ status: 200, headers: { ...HEADERS, "content-type": type } });
  expect(got.body).toContain(beginning);
  const head = await ask(server, path, "HEAD");
  expect(head).toMatchObject({ status: 200, body: "", headers: { ...HEADERS, "content-type": type } });
  expect(head.headers["content-length"]).toBe(String(Buffer.byteLength(got.body)));
});

test("whatever the page and its scripts name is there, and none of it elsewhere", async () => {
  const { body } = await ask(server, "/");
  const parts = [...body.matchAll(/(?:src|href)="([^":]+)"/g)].map(([, part = ""]) => `/${part}`);
  expect(parts.sort()).toEqual(["/style.css", "/talk.js"]);
  expect(body).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  for (const script of ["/talk.js", "/view.js", "/latest.js", "/visitor.js"]) {
    const { body: code } = await ask(server, script);
    for (const [, named = ""] of code.matchAll(/from "\.(\/[^"]+)"/g))
      expect(await ask(server, named)).toMatchObject({ status: 200 });
  }
});

test.each([
  "/index.html",
  "/../package.json",
  "/page/talk.js",
  "/%2e%2e/package.json",
  "/..%2f..%2fpackage.json",
  "/%00",
  "//",
  "//style.css",
  "/talk.js/",
  "/TALK.JS",
  "/talk.js%20",
  "/__proto__",
  "/toString",
  "http://elsewhere.example/style.css",
])("there is no %s", async (path) => {
  expect(await ask(server, path)).toMatchObject({ status: 404, body: "not found\n", headers: HEADERS });
  expect(await ask(server, path, "HEAD")).toMatchObject({ status: 404, body: "" });
});

test.each(["POST", "PUT", "DELETE", "OPTIONS"])("%s is not for a page", async (method) => {
  const refused = { status: 405, body: "", headers: { ...HEADERS, allow: "GET, HEAD" } };
  expect(await ask(server, "/", method)).toMatchObject(refused);
  expect(await ask(server, "/nothing", method)).toMatchObject(refused);
});
