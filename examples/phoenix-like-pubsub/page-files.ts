import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

/** The page, by path. All of it is read at the start: nothing that somebody asks for is ever looked up on the disk. */
export function readPage(): ReadonlyMap<string, PageFile> {
  const own = (file: string, type: string): PageFile => ({
    type,
    body: readFileSync(new URL(`./page/${file}`, import.meta.url)),
  });
  // The official client, as it stands in its package.
  const client = fileURLToPath(import.meta.resolve("phoenix"));
  return new Map([
    ["/", own("index.html", HTML)],
    ["/style.css", own("style.css", CSS)],
    ["/talk.js", own("talk.js", SCRIPT)],
    ["/view.js", own("view.js", SCRIPT)],
    ["/latest.js", own("latest.js", SCRIPT)],
    ["/visitor.js", own("visitor.js", SCRIPT)],
    ["/phoenix.mjs", { type: SCRIPT, body: readFileSync(client) }],
  ]);
}

/** The page loads nothing from elsewhere, and speaks to the nodes of its own host only. */
function policyFor(origins: readonly string[]): string {
  const nodes = origins.flatMap((origin) => [origin, origin.replace("http:", "ws:")]).join(" ");
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self' ${nodes}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

export interface SiteInfo {
  readonly node: string;
  /** Of all nodes, this one's included. */
  readonly ports: readonly number[];
  /** Under which the nodes are found: no others may connect. */
  readonly origins: readonly string[];
}

/** Answers what the sockets leave over: the page, and what it has to know of the nodes. */
export function servePage(
  page: ReadonlyMap<string, PageFile>,
  site: SiteInfo,
): (request: IncomingMessage, response: ServerResponse) => void {
  const headers = {
    "content-security-policy": policyFor(site.origins),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
  };
  const siteFile: PageFile = { type: "application/json", body: Buffer.from(JSON.stringify(site)) };
  return (request, response) => {
    const { method, url = "/" } = request;
    const [path = "/"] = url.split("?", 1);
    const file = path === "/site.json" ? siteFile : page.get(path);
    if (method !== "GET" && method !== "HEAD") {
      response.writeHead(405, { ...headers, allow: "GET, HEAD" }).end();
    } else if (file === undefined) {
      response.writeHead(404, { ...headers, "content-type": "text/plain" }).end("not found\n");
    } else {
      const length = { "content-type": file.type, "content-length": file.body.length };
      response.writeHead(200, { ...headers, ...length }).end(method === "HEAD" ? undefined : file.body);
    }
  };
}
