import { InvalidArgumentError } from "../kernel/errors.ts";
import { ServiceError } from "./problem.ts";
import { isSameSecret } from "./secrets.ts";

/** What a token is good for: `write` includes `read`, and `admin` both. */
export type AccessScope = "read" | "write" | "admin";

export interface AccessToken {
  readonly scope: AccessScope;
  readonly token: string;
}

/** What of a request decides. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

export interface AccessOptions {
  readonly tokens: readonly AccessToken[];
  /** Whether only this machine can reach the service. */
  readonly isLoopback: boolean;
  /** Names by which it may be addressed, besides those of this machine. */
  readonly hosts: readonly string[];
  /** Pages that may use it, as browsers tell their origin. */
  readonly origins: readonly string[];
}

const RANK: Readonly<Record<AccessScope, number>> = { read: 1, write: 2, admin: 3 };
export const LEAST_TOKEN_CHARS = 16;
const TOKEN = /^[\x21-\x2b\x2d-\x3c\x3e-\x7e]+$/;
const LOOPBACK_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);
const BEARER = /^bearer +(\S+)$/i;
const TAKES_TOKENS = `tokens of at least ${LEAST_TOKEN_CHARS} printable characters without comma and equals sign, each with its scope in front (read=…, write=…, admin=…), separated by commas; one alone is an admin token`;

/** As in `ROLLCALL_TOKEN`: `read=…,admin=…`, or one admin token. */
export function parseTokens(text: string): readonly AccessToken[] {
  return text.split(",").map((part) => {
    const [scope, token] = part.includes("=") ? (part.split("=", 2) as [string, string]) : ["admin", part];
    if (!Object.hasOwn(RANK, scope)) throw new InvalidArgumentError("token", "(hidden)", TAKES_TOKENS);
    return { scope: scope as AccessScope, token: checkToken(token) };
  });
}

export function checkToken(token: string): string {
  if (token.length >= LEAST_TOKEN_CHARS && TOKEN.test(token)) return token;
  throw new InvalidArgumentError("token", "(hidden)", TAKES_TOKENS);
}

/** Who may do what. Without tokens, which only a service on loopback goes without, everybody on this machine may read and write. */
export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** @throws ServiceError when the request may not do what needs that scope */
  check(needed: AccessScope, credentials: Credentials): void {
    this.checkSender(credentials);
    const { tokens } = this.#options;
    if (tokens.length === 0 && needed !== "admin") return;
    const given = BEARER.exec(credentials.authorization ?? "")?.[1];
    if (given === undefined)
      throw new ServiceError("UNAUTHENTICATED", `this takes a token for ${needed}: Authorization: Bearer …`);
    let rank = 0;
    // All of them, whichever fits: how long it takes tells nothing.
    for (const { scope, token } of tokens) if (isSameSecret(token, given)) rank = Math.max(rank, RANK[scope]);
    if (rank === 0) throw new ServiceError("UNAUTHENTICATED", "the token is not one of this service");
    if (rank < RANK[needed]) throw new ServiceError("FORBIDDEN", `the token does not allow ${needed}`);
  }

  /**
   * A page that somebody is looking at can send requests to their own machine, also under a name that it makes its own DNS point
   * there. Browsers tell where a request comes from and under which name.
   *
   * @throws ServiceError for a page that was not let in
   */
  checkSender({ host, origin }: Credentials): void {
    if (!this.#isOwnHost(host))
      throw new ServiceError(
        "FORBIDDEN",
        "the service does not go by this name: let it in with --allow-host (`hosts`)",
      );
    if (origin === undefined || this.#options.origins.includes(origin)) return;
    if (host !== undefined && originHost(origin) === host) return;
    throw new ServiceError(
      "FORBIDDEN",
      "pages of other origins are not let in: let them in with --allow-origin (`origins`)",
    );
  }

  #isOwnHost(host: string | undefined): boolean {
    const { hosts, isLoopback, tokens } = this.#options;
    // A page does not have the token; and a service for other machines goes by names that it cannot know.
    if (!isLoopback && tokens.length > 0 && hosts.length === 0) return true;
    // HTTP/1.0, which no browser speaks.
    if (host === undefined) return true;
    const name = host.replace(/:\d*$/, "").toLowerCase();
    return LOOPBACK_NAMES.has(name) || hosts.includes(name);
  }
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
