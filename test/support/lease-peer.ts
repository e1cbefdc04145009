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
  readonly #waiting = new Map<number, (reply: LeaseReply) => void>();
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
      },
      onReply: (server, id, reply) => {
        this.calls.push(`${reply.kind} ${server}`);
        this.#waiting.get(id)?.(reply);
        this.#waiting.delete(id);
      },
      onWarning: (_server, message) => this.warnings.push(message),
    });
  }

  isConnected(server: number): boolean {
    return this.#connected.has(server);
  }

  async connected(server: number): Promise<void> {
    await eventually(() => this.isConnected(server), { withinMs: 10_000 });
  }

  /** Sends now: requests of one turn go out in the order of these calls. */
  ask(server: number, request: LeaseRequest): Promise<LeaseReply> {
    this.#lastId += 1;
    const id = this.#lastId;
    const reply = new Promise<LeaseReply>((resolve) => this.#waiting.set(id, resolve));
    this.#links.send(server, id, request);
    return reply;
  }

  close(): Promise<void> {
    return this.#links.close();
  }
}
