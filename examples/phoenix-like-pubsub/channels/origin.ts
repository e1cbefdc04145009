import { InvalidArgumentError } from "rollcall";

/**
 * Which pages may connect. `true`: those of the host that they connect to. A list: those of these origins, such as
 * `https://example.com`, `//example.com` (of any scheme) or `//*.example.com` (of any host below it). A function decides by
 * itself. `false`: all, which is only safe where nothing but a secret in the parameters or the token lets anybody in.
 */
export type CheckOrigin = boolean | readonly string[] | ((origin: string) => boolean);

interface AllowedOrigin {
  /** Undefined: any. */
  readonly scheme: string | undefined;
  /** With its port, if it is not that of the scheme. */
  readonly host: string;
  readonly isBelow: boolean;
}

const ORIGIN = /^(?:([a-z][a-z0-9+.-]*):)?\/\/(\*\.)?([^/*@?#\s]+)$/;

/**
 * Whether a request may be served. One without an origin comes from a program, not from a page: nobody can lend it the cookies
 * of somebody else.
 */
export type OriginCheck = (origin: string | undefined, host: string | undefined) => boolean;

/** @throws InvalidArgumentError for what is no origin */
export function originCheck(check: CheckOrigin = true): OriginCheck {
  if (check === false) return () => true;
  if (check === true) return (origin, host) => origin === undefined || isOfHost(origin, host);
  if (typeof check === "function") return (origin) => origin === undefined || check(origin);
  const allowed = check.map(parseAllowed);
  return (origin) => {
    if (origin === undefined) return true;
    const url = parseUrl(origin);
    if (url === undefined) return false;
    return allowed.some(({ scheme, host, isBelow }) => {
      if (scheme !== undefined && `${scheme}:` !== url.protocol) return false;
      return isBelow ? url.host.endsWith(`.${host}`) : url.host === host;
    });
  };
}

function parseAllowed(text: string): AllowedOrigin {
  const [, scheme, below, host] = ORIGIN.exec(text.toLowerCase()) ?? [];
  if (host === undefined)
    throw new InvalidArgumentError(
      "checkOrigin",
      text,
      "origins such as https://example.com, //example.com or //*.example.com",
    );
  return { scheme, host, isBelow: below !== undefined };
}

/** An origin without a host (`null`, a file) is never that of a request, not even of one that names no host either. */
function isOfHost(origin: string, host: string | undefined): boolean {
  const own = parseUrl(origin)?.host ?? "";
  return own !== "" && own === host?.toLowerCase();
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
