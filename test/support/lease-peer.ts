import { SeededRandom } from "../../src/kernel/random.ts";
import type { LeaseLinks, LeaseStore } from "../../src/lease/port.ts";
import type { LeaseReply, LeaseRequest } from "../../src/lease/requests.ts";
import { eventually } from "./eventually.ts";
import { RealClock } from "./real-clock.ts";

/** A client of lease servers that does as it is told. */
export class LeasePeer {
  readonly name: string;
  readonly calls: string[] = [];
  readonly warnings: string[] = [];
  readonly #links: LeaseLinks;
  readonly #waiting = new Map<
    number,
    { readonly server: number; readonly settle: (reply: LeaseReply | undefined) => void }
  >();
  readonly #connected = new Set<number>();
  #lastId = 0;

  constructor(store: LeaseStore, name: string) {
    this.name = name;
    this.#links = store.open({
      clientName: name,
      clock: new RealClock(),
      random: new SeededRandom(name),
      onConnected: (server) => {
        this.calls.push(`connected ${server}`);
        this.#connected.add(server);
      },
      onDisconnected: (server) => {
        this.calls.push(`disconnected ${server}`);
        this.#connected.delete(server);
        for (const [id, waiting] of this.#waiting) if (waiting.server === server) this.#settle(id, undefined);
      },
      onReply: (server, id, reply) => {
        this.calls.push(`${reply.kind} ${server}`);
        this.#settle(id, reply);
      },
      onWarning: (_server, message) => this.warnings.push(message),
    });
  }

  isConnected(server: number): boolean {
    return this.#connected.has(server);
  }

  async connected(server: number): Promise<void> {
    await eventually(() => this.isConnected(server), {
      withinMs: 10_000,
      what: () => [...this.calls.slice(-10), ...this.warnings.slice(-3)].join("; "),
    });
  }

  /** Sends now: requests of one turn go out in the order of these calls. Never settles if the connection is lost. */
  ask(server: number, request: LeaseRequest): Promise<LeaseReply> {
    return this.#send(server, request).then((reply) => reply ?? new Promise<never>(() => undefined));
  }

  /** As `ask`, and again on the next connection until there is an answer: for requests that may be carried out twice. */
  async askAgain(server: number, request: LeaseRequest): Promise<LeaseReply> {
    for (;;) {
      await this.connected(server);
      const reply = await this.#send(server, request);
      if (reply !== undefined) return reply;
    }
  }

  close(): Promise<void> {
    return this.#links.close();
  }

  /** @returns undefined when the connection is lost before there is an answer */
  #send(server: number, request: LeaseRequest): Promise<LeaseReply | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    const reply = new Promise<LeaseReply | undefined>((settle) => this.#waiting.set(id, { server, settle }));
    this.#links.send(server, id, request);
    return reply;
  }

  #settle(id: number, reply: LeaseReply | undefined): void {
    this.#waiting.get(id)?.settle(reply);
    this.#waiting.delete(id);
  }
}
