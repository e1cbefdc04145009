import type { Clock } from "../../kernel/clock.ts";
import { ITEMS_PER_REQUEST } from "../../lease/limits.ts";
import type { LeaseReply, LeaseRequest } from "../../lease/requests.ts";

/** What names are asked for and given back with. */
type ItemsRequest = Extract<LeaseRequest, { readonly kind: "acquire" | "release" }>;

interface Batch {
  readonly server: number;
  readonly request: ItemsRequest;
  readonly items: unknown[];
  /** Of the requests in it, each with how many of the items are its own. */
  readonly parts: { readonly id: number; readonly items: number }[];
}

export interface RequestBatchesOptions {
  readonly clock: Clock;
  send(server: number, id: number, request: LeaseRequest): void;
  onReply(server: number, id: number, reply: LeaseReply): void;
}

/**
 * Puts what is asked of one server in one turn of the event loop into as few requests as possible: ten thousand names that are
 * registered at once would else be thirty thousand requests, before which no renewal is carried out. Servers promise nothing about
 * several items of a request that they do not about as many requests. The order in which things are sent stays as it is.
 */
export class RequestBatches {
  readonly #options: RequestBatchesOptions;
  /** What is still to be sent, for each server. */
  readonly #open = new Map<number, Batch>();
  /** What was sent, by the server and the id that it was sent with. */
  readonly #sent = new Map<string, Batch>();
  #isDue = false;

  constructor(options: RequestBatchesOptions) {
    this.#options = options;
  }

  send(server: number, id: number, request: LeaseRequest): void {
    const open = this.#open.get(server);
    if (request.kind !== "acquire" && request.kind !== "release") {
      this.#flush(open);
      this.#options.send(server, id, request);
      return;
    }
    const part = { id, items: request.items.length };
    if (open !== undefined && fits(open, request)) {
      open.items.push(...request.items);
      open.parts.push(part);
      return;
    }
    this.#flush(open);
    this.#open.set(server, { server, request, items: [...request.items], parts: [part] });
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.endOfTurn(() => this.flush());
  }

  /** Sends what waits. */
  flush(): void {
    this.#isDue = false;
    for (const batch of [...this.#open.values()]) this.#flush(batch);
  }

  reply(server: number, id: number, reply: LeaseReply): void {
    const key = `${server} ${id}`;
    const batch = this.#sent.get(key);
    if (batch === undefined) {
      this.#options.onReply(server, id, reply);
      return;
    }
    this.#sent.delete(key);
    let from = 0;
    for (const part of batch.parts) {
      this.#options.onReply(server, part.id, partOf(reply, from, from + part.items));
      from += part.items;
    }
  }

  /** Nothing that was sent to it is answered any more. */
  disconnected(server: number): void {
    this.#open.delete(server);
    for (const [key, batch] of this.#sent) if (batch.server === server) this.#sent.delete(key);
  }

  #flush(batch: Batch | undefined): void {
    if (batch === undefined) return;
    const { items, parts, request, server } = batch;
    const [first] = parts;
    this.#open.delete(server);
    if (first === undefined) return;
    if (parts.length > 1) this.#sent.set(`${server} ${first.id}`, batch);
    this.#options.send(server, first.id, { ...request, items } as ItemsRequest);
  }
}

function fits({ items, request }: Batch, other: ItemsRequest): boolean {
  return (
    request.kind === other.kind &&
    request.session === other.session &&
    request.connection === other.connection &&
    items.length + other.items.length <= ITEMS_PER_REQUEST
  );
}

/** What is said of the whole request, such as that the session is gone, is said of every part of it. */
function partOf(reply: LeaseReply, from: number, to: number): LeaseReply {
  switch (reply.kind) {
    case "acquired":
      return { kind: "acquired", items: reply.items.slice(from, to) };
    case "released":
      return { kind: "released", items: reply.items.slice(from, to) };
    default:
      return reply;
  }
}
