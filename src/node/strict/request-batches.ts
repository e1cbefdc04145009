import type { Clock } from "../../kernel/clock.ts";
import { ITEMS_PER_REQUEST, MAX_IN_FLIGHT } from "../../lease/limits.ts";
import type { LeaseReply, LeaseRequest } from "../../lease/requests.ts";

/** What names are asked for and given back with. */
type ItemsRequest = Extract<LeaseRequest, { readonly kind: "acquire" | "release" }>;

interface Batch {
  readonly server: number;
  readonly request: ItemsRequest;
  readonly items: unknown[];
  readonly parts: Part[];
}

/** One of the requests in a batch, and how many of the items are its own. */
interface Part {
  readonly id: number;
  readonly items: number;
}

/** What was sent to one server and is not answered yet: the parts of each batch by the id that it was sent with, oldest first. */
interface Sent {
  readonly batches: Map<number, readonly Part[]>;
  /** Of all these batches together. */
  parts: number;
}

/**
 * Requests to one server whose batches are remembered, at most: as many as anybody waits for. A server may leave out answers on a
 * connection that lasts, and those who asked give up the oldest first.
 */
const MAX_PARTS_SENT = MAX_IN_FLIGHT;

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
  readonly #sent = new Map<number, Sent>();
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

  /** Requests in batches that were sent and may still be answered. */
  get unanswered(): number {
    return [...this.#sent.values()].reduce((sum, { parts }) => sum + parts, 0);
  }

  /** Sends what waits. */
  flush(): void {
    this.#isDue = false;
    for (const batch of [...this.#open.values()]) this.#flush(batch);
  }

  reply(server: number, id: number, reply: LeaseReply): void {
    const parts = this.#take(server, id);
    if (parts === undefined) {
      this.#options.onReply(server, id, reply);
      return;
    }
    let from = 0;
    for (const part of parts) {
      this.#options.onReply(server, part.id, partOf(reply, from, from + part.items));
      from += part.items;
    }
  }

  /** Nothing that was sent to it is answered any more. */
  disconnected(server: number): void {
    this.#open.delete(server);
    this.#sent.delete(server);
  }

  #remember(server: number, id: number, parts: readonly Part[]): void {
    const sent = this.#sent.get(server) ?? { batches: new Map<number, readonly Part[]>(), parts: 0 };
    this.#sent.set(server, sent);
    sent.batches.set(id, parts);
    sent.parts += parts.length;
    for (const oldest of sent.batches.keys()) {
      if (sent.parts <= MAX_PARTS_SENT) return;
      this.#take(server, oldest);
    }
  }

  /** @returns what the batch was made of; it is not remembered any more */
  #take(server: number, id: number): readonly Part[] | undefined {
    const sent = this.#sent.get(server);
    const parts = sent?.batches.get(id);
    if (sent === undefined || parts === undefined) return undefined;
    sent.batches.delete(id);
    sent.parts -= parts.length;
    return parts;
  }

  #flush(batch: Batch | undefined): void {
    if (batch === undefined) return;
    const { items, parts, request, server } = batch;
    const [first] = parts;
    this.#open.delete(server);
    if (first === undefined) return;
    if (parts.length > 1) this.#remember(server, first.id, parts);
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
