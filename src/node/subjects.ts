import { createHash } from "node:crypto";
import { incarnationOf, isNodeId, makeNodeId, type NodeId, nameOfNode } from "../kernel/ids.ts";

/** Where a frame was sent, as its subject says, and who may have sent it. */
export type Destination = (
  | { readonly kind: "all" }
  | { readonly kind: "scope"; readonly scopeHash: string }
  | { readonly kind: "node"; readonly node: NodeId }
  /** Whoever runs under this node name. */
  | { readonly kind: "name"; readonly name: string }
) & { readonly senderToken: string };

/** 16 bytes: nobody finds two clusters or scopes of one hash. */
const HASH_BYTES = 16;

/** Subjects taken apart that are remembered: a cluster of this size has as many senders. */
const REMEMBERED = 8_192;

/**
 * The subjects of one cluster, as one node sees them. Each ends with a token for its sender's name, so that the permissions
 * of a NATS user can hold a node to its own; what users name is hashed, for a subject breaks on dots, blanks and length.
 */
export class Subjects {
  /** What stands for this node's name, in its own subjects and in a NATS permission. */
  readonly token: string;
  /** The first bytes of the cluster's hash, carried in frames too. */
  readonly clusterHash: Uint8Array;
  readonly all: string;
  readonly #prefix: string;
  readonly #cluster: string;
  /** Of the scopes that this node has open. */
  readonly #scopes = new Map<string, string>();
  readonly #parsed = new Map<string, Destination | undefined>();

  constructor(cluster: string, self: NodeId) {
    this.#cluster = cluster;
    this.clusterHash = sha256(`rollcall/cluster\0${cluster}`).subarray(0, HASH_BYTES);
    this.token = nameToken(nameOfNode(self));
    this.#prefix = `rc.${base64url(this.clusterHash)}.`;
    this.all = `${this.#prefix}all.${this.token}`;
  }

  scopeHash(scope: string): string {
    return base64url(sha256(`rollcall/scope\0${this.#cluster}\0${scope}`).subarray(0, HASH_BYTES));
  }

  scope(scope: string): string {
    const known = this.#scopes.get(scope);
    if (known !== undefined) return known;
    const subject = `${this.#prefix}scope.${this.scopeHash(scope)}.${this.token}`;
    this.#scopes.set(scope, subject);
    return subject;
  }

  /** The private subject of a node: no subscriber there means that the node has no connection. */
  node(node: NodeId): string {
    return `${this.#prefix}node.${nameToken(nameOfNode(node))}.${incarnationOf(node)}.${this.token}`;
  }

  /** Where whoever runs under a node name listens. */
  name(name: string): string {
    return `${this.#prefix}name.${nameToken(name)}.${this.token}`;
  }

  /** @param own a subject that this node would send on; what comes back takes the same from every sender */
  static fromAnyone(own: string): string {
    return `${own.slice(0, own.lastIndexOf(".") + 1)}*`;
  }

  /** Undefined for a subject that is none of this cluster's. */
  parse(subject: string): Destination | undefined {
    if (this.#parsed.has(subject)) return this.#parsed.get(subject);
    if (this.#parsed.size >= REMEMBERED) this.#parsed.clear();
    const destination = this.#parse(subject);
    this.#parsed.set(subject, destination);
    return destination;
  }

  #parse(subject: string): Destination | undefined {
    if (!subject.startsWith(this.#prefix)) return undefined;
    const tokens = subject.slice(this.#prefix.length).split(".");
    const senderToken = tokens.pop();
    if (senderToken === undefined || nameOfToken(senderToken) === undefined) return undefined;
    const [kind, first, second, ...rest] = tokens;
    if (rest.length > 0) return undefined;
    if (kind === "all" && first === undefined) return { kind, senderToken };
    if (first === undefined || first === "") return undefined;
    if (kind === "scope" && second === undefined) return { kind, scopeHash: first, senderToken };
    const name = nameOfToken(first);
    if (name === undefined) return undefined;
    if (kind === "name" && second === undefined) return { kind, name, senderToken };
    const node = makeNodeId(name, second ?? "");
    return kind === "node" && isNodeId(node) ? { kind, node, senderToken } : undefined;
  }
}

/** A node name as one token of a subject: `web.1` → `web=2E1`. */
export function nameToken(name: string): string {
  return name.replace(
    /[^A-Za-z0-9_-]/g,
    (char) => `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** Undefined for a token that `nameToken` does not make: so each name has one token. */
function nameOfToken(token: string): string | undefined {
  const name = token.replace(/=([0-9A-F]{2})/g, (_match, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return token !== "" && nameToken(name) === token ? name : undefined;
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
}
