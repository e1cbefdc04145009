import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** What a client says of itself when it connects: the `params` of its `Socket`. Texts, and records of texts. */
export interface Params {
  readonly [param: string]: string | Params;
}

/** What `connect` is given. */
export interface ConnectRequest {
  readonly params: Params;
  /** The `authToken` of the client's `Socket`. */
  readonly authToken: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string | undefined;
  readonly transport: "websocket" | "longpoll";
}

const VERSION = /^2\.\d+\.\d+$/;
const TOKEN_PROTOCOL = "base64url.bearer.phx.";
export const PROTOCOL = "phoenix";
/** How deep parameters nest, and how many there may be: past it they are left out. */
const DEPTH = 8;
const PARAMS = 1_000;

/** What a request is for. */
export interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
}

/** By hand, for `URL` throws, or sees a host, where a client writes `/\a:99999`. */
export function targetOf({ url = "/" }: Pick<IncomingMessage, "url">): Target {
  const mark = url.indexOf("?");
  return mark < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}

/** Of all versions of the protocol this server speaks the second; who names none means the first. */
export function speaksVersion(query: URLSearchParams): boolean {
  return VERSION.test(query.getAll("vsn").at(-1) ?? "");
}

/** `a=1&b[c]=2` is `{ a: "1", b: { c: "2" } }`. Own properties only, whatever they are called; of two of one name the last counts. */
export function paramsOf(query: URLSearchParams, without: ReadonlySet<string>): Params {
  const root: Branch = new Map();
  let count = 0;
  for (const [name, value] of query) {
    count += 1;
    if (count > PARAMS) break;
    if (!without.has(name)) plant(root, stepsOf(name), value);
  }
  return toParams(root);
}

/** The token is in a protocol that the client offers: browsers let pages set no header for a WebSocket. */
export function tokenOfProtocols(offered: string | undefined): string | undefined {
  for (const protocol of (offered ?? "").split(",")) {
    const name = protocol.trim();
    if (name.startsWith(TOKEN_PROTOCOL)) return fromBase64(name.slice(TOKEN_PROTOCOL.length));
  }
  return undefined;
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

type Branch = Map<string, string | Branch>;

function stepsOf(name: string): readonly string[] {
  const open = name.indexOf("[");
  if (open <= 0 || !name.endsWith("]")) return [name];
  return [name.slice(0, open), ...name.slice(open + 1, -1).split("][")];
}

function plant(root: Branch, steps: readonly string[], value: string): void {
  if (steps.length > DEPTH) return;
  let branch = root;
  for (const step of steps.slice(0, -1)) {
    const known = branch.get(step);
    const next: Branch = known instanceof Map ? known : new Map();
    branch.set(step, next);
    branch = next;
  }
  branch.set(steps.at(-1) ?? "", value);
}

function toParams(branch: Branch): Params {
  const entries = [...branch].map(
    ([name, value]) => [name, typeof value === "string" ? value : toParams(value)] as const,
  );
  // Defines own properties, whatever they are called.
  return Object.fromEntries(entries);
}

/** As a page makes it of a token: each character a byte. */
function fromBase64(text: string): string {
  return Buffer.from(text, "base64").toString("latin1");
}
