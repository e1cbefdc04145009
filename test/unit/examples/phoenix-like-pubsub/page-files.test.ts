import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPage, servePage } from "../../../../examples/phoenix-like-pubsub/page-files.ts";

let server: Server;
beforeAll(async () => {
  server = createServer(
    servePage(readPage(), { node: "talk-2", ports: [1, 2, 3] }, ["http://h:1", "http://h:2"]),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** The path as it is given: a browser would tidy it up first. */
function ask(path: string, method = "GET"): Promise<{ status: number; body: string; headers: object }> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, method }, (response) => {
      let body = "";
      response.on("data", (data: Buffer) => {
        body += data.toString();
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      );
    });
    asked.on("error", reject).end();
  });
}

test("the page, its parts and the official client are served, with a policy that lets nothing in from elsewhere", async () => {
  const page = await ask("/?from=somewhere");
  expect(page).toMatchObject({ status: 200, headers: { "content-type": "text/html; charset=utf-8" } });
  expect(page.headers).toMatchObject({
    "content-security-policy": expect.stringMatching(
      /^default-src 'none'; script-src 'self'.*; connect-src 'self' http:\/\/h:1 ws:\/\/h:1 http:\/\/h:2 ws:\/\/h:2; /,
    ),
    "x-content-type-options": "nosniff",
  });
  const parts = [...page.body.matchAll(/(?:src|href)="([^":]+)"/g)].map(([, part = ""]) => `/${part}`);
  expect(parts.sort()).toEqual(["/style.css", "/talk.js"]);
  for (const part of [...parts, "/view.js", "/phoenix.mjs"]) expect((await ask(part)).status).toBe(200);
  expect(page.body).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  expect((await ask("/phoenix.mjs")).body).toContain("longpoll");
  expect(JSON.parse((await ask("/site.json")).body)).toEqual({ node: "talk-2", ports: [1, 2, 3] });
});

test.each([
  ...[
    "/index.html",
    "/../package.json",
    "/page/talk.js",
    "/%2e%2e/package.json",
    "//",
    "/talk.js/",
    "/__proto__",
  ],
])("there is no %s", async (path) => {
  expect(await ask(path)).toMatchObject({ status: 404, body: "not found\n" });
});

test("other methods are refused, and HEAD has no body", async () => {
  expect(await ask("/", "POST")).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
  expect(await ask("/", "HEAD")).toMatchObject({ status: 200, body: "" });
});
