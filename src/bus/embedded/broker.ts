import type { Server, Socket } from "node:net";
import type { Clock } from "../../kernel/clock.ts";
import { Interest } from "../interest.ts";
import type { BrokerLimits } from "./limits.ts";
import { Session, type Subscription } from "./session.ts";

/** Where the broker tells that the last connection of a client name has ended, in the form of NATS's `$SYS` advisories. */
export const DISCONNECTS = "$ROLLCALL.DISCONNECT";

/** In INFO: how one of our brokers is known, and which version of this understanding it speaks. */
export const BROKER_MARK = "rollcall_broker";
export const BROKER_VERSION = 1;

/** Between a client's deadline and the last look at it: time enough for sockets to be read that were not during a stall. */
const LAST_LOOK_MS = 100;

/** How long clients may take to read what was pending when the broker hangs up. */
const GOODBYE_MS = 500;

export interface BrokerOptions {
  readonly server: Server;
  readonly port: number;
  /** Unique for each start of a broker. */
  readonly id: string;
  /** The client name of the node that hosts it. */
  readonly name: string;
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  onSlowClient(clientName: string, pendingBytes: number): void;
}

/**
 * A message broker that speaks core NATS, as far as one machine's nodes need it: publish and subscribe with wildcards, queue
 * groups, headers and "no responders". No accounts, no clustering, no persistence.
 */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #interest = new Interest<Subscription>();
  readonly #sessions = new Map<Session, Socket>();
  /** How many connections each client name has. An advisory is due when the last one ends. */
  readonly #names = new Map<string, number>();
  #touched: Session[] = [];
  readonly #isTouched = new Set<Session>();
  #lastClient = 0;
  #turn = 0;
  #closing = false;

  constructor(options: BrokerOptions) {
    this.#options = options;
    options.server.on("connection", (socket) => this.#accept(socket));
  }

  publish(
    from: Session | undefined,
    subject: string,
    reply: string | undefined,
    headerBytes: number,
    body: Buffer,
  ): void {
    let wasDelivered = false;
    let queues: Map<string, Subscription[]> | undefined;
    for (const subscription of this.#interest.match(subject)) {
      if (subscription.session === from && !from.echo) continue;
      wasDelivered = true;
      if (subscription.queue === undefined) {
        subscription.session.deliver(subscription, subject, reply, headerBytes, body);
      } else {
        queues ??= new Map();
        const members = queues.get(subscription.queue);
        if (members === undefined) queues.set(subscription.queue, [subscription]);
        else members.push(subscription);
      }
    }
    for (const members of queues?.values() ?? []) {
      this.#turn += 1;
      const chosen = members[this.#turn % members.length];
      chosen?.session.deliver(chosen, subject, reply, headerBytes, body);
    }
    if (!wasDelivered && reply !== undefined && from?.noResponders === true)
      this.#sayNoResponders(from, reply);
  }

  add(subscription: Subscription): void {
    this.#interest.add(subscription.subject, subscription);
  }

  remove(subscription: Subscription): void {
    this.#interest.remove(subscription.subject, subscription);
  }

  rename(session: Session, name: string): void {
    this.#unname(session.name);
    this.#names.set(name, (this.#names.get(name) ?? 0) + 1);
  }

  /** Something waits to be sent to this client when the turn ends. */
  touch(session: Session): void {
    if (this.#isTouched.has(session)) return;
    this.#isTouched.add(session);
    this.#touched.push(session);
  }

  /** The broker's own word is not for clients to say. */
  isReserved(subject: string): boolean {
    return subject === DISCONNECTS;
  }

  onSlowClient(clientName: string, pendingBytes: number): void {
    this.#options.onSlowClient(clientName, pendingBytes);
  }

  forget(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    for (const subscription of session.dropSubscriptions()) this.remove(subscription);
    if (this.#unname(session.name) && !this.#closing) this.#advise(session.name);
  }

  /** Stops listening, sends what is pending, then ends every connection. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#options.server.close(() => resolve()));
    for (const session of [...this.#sessions.keys()]) session.hangUp();
    await closed;
  }

  /** A client that was said goodbye to may take its time to read it, but not for ever. */
  endWithin(socket: Socket): void {
    socket.once(
      "close",
      this.#options.clock.after(GOODBYE_MS, () => socket.destroy()),
    );
  }

  #accept(socket: Socket): void {
    const { limits } = this.#options;
    const session = new Session(this, socket, limits);
    socket.setNoDelay(true);
    // The close that follows says all there is to say.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.forget(session);
      this.#flush();
    });
    if (this.#closing || this.#sessions.size >= limits.clients) {
      session.refuse("maximum connections exceeded");
      return;
    }
    this.#sessions.set(session, socket);
    socket.on("data", (chunk: Buffer) => {
      session.receive(chunk);
      this.#flush();
    });
    this.#lastClient += 1;
    session.greet(this.#info(this.#lastClient));
    this.#expectConnect(session, socket);
    this.#flush();
  }

  /**
   * 1. The client has sent its CONNECT. 2. This process stands still beyond the deadline. 3. Timers run before sockets are read.
   * So whoever is late is looked at once more, when the event loop has been round.
   */
  #expectConnect(session: Session, socket: Socket): void {
    const { clock, limits } = this.#options;
    const giveUp = (): void => {
      if (!session.hasConnected) session.refuse(`no CONNECT within ${limits.connectMs} ms`);
    };
    let cancel = clock.after(limits.connectMs, () => {
      if (!session.hasConnected) cancel = clock.after(LAST_LOOK_MS, giveUp);
    });
    socket.on("close", () => cancel());
  }

  #info(clientId: number): object {
    const { id, name, port, limits } = this.#options;
    return {
      server_id: id,
      server_name: name,
      version: "2.9.0",
      proto: 1,
      host: "127.0.0.1",
      port,
      headers: true,
      max_payload: limits.maxPayload,
      client_id: clientId,
      [BROKER_MARK]: BROKER_VERSION,
    };
  }

  /** What one chunk caused leaves in one write for each client concerned. */
  #flush(): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    this.#isTouched.clear();
    for (const session of touched) session.flush();
    // Cutting a slow client off may have caused an advisory.
    this.#flush();
  }

  #sayNoResponders(from: Session, reply: string): void {
    for (const subscription of this.#interest.match(reply)) {
      if (subscription.session !== from) continue;
      from.sayNoResponders(subscription.sid, reply);
      return;
    }
  }

  /** @returns true when this was the last connection of the name */
  #unname(name: string): boolean {
    const count = this.#names.get(name);
    if (count === undefined) return false;
    if (count > 1) this.#names.set(name, count - 1);
    else this.#names.delete(name);
    return count === 1;
  }

  #advise(name: string): void {
    this.publish(undefined, DISCONNECTS, undefined, 0, Buffer.from(JSON.stringify({ client: { name } })));
  }
}
