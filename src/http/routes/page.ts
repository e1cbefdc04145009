import { readdirSync, readFileSync } from "node:fs";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ServiceEnv } from "../context.ts";

/** Not compiled, so it is in `src` also for what was built. */
const FOLDER = new URL("../../../src/http/page/", import.meta.url);

const MEDIA: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Nothing from anywhere else, and nothing inside the text of the page. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The live page: plain files, read once. */
export function addPage(app: OpenAPIHono<ServiceEnv>): void {
  for (const file of readdirSync(FOLDER)) {
    const media = MEDIA[file.slice(file.lastIndexOf(".") + 1)];
    if (media === undefined) continue;
    const content = readFileSync(new URL(file, FOLDER));
    app.get(file === "index.html" ? "/" : `/${file}`, (c) =>
      c.body(new Uint8Array(content), 200, {
        "content-type": media,
        "content-security-policy": POLICY,
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
      }),
    );
  }
}
