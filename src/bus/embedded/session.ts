import type { Socket } from "node:net";
import { loose } from "../loose.ts";
import type { Broker } from "./broker.ts";
import { CommandParser, type CommandSink } from "./command-parser.ts";
import type { BrokerLimits } from "./limits.ts";
import { Outbox } from "./outbox.ts";

export interface Subscription {
  readonly session: Session;
  readonly subject: string;
  readonly queue: string | undefined;
  readonly sid: string;
  delivered: number;
  /** How many deliveries end it, when the client said so. */
  max: number | undefined;
}

/** A subject that a client may subscribe: no empty token, `>` only last. Bytes beyond ASCII are the client's business. */
const SUBSCRIBABLE = /^(?:[^.>]+\.)*(?:[^.>]+|>)$/;
const PUBLISHABLE = /^[^.]+(?:\.[^.]+)*$/;
const NO_RESPONDERS = "NATS/1.0 503\r\n\r\n";

/** One client of the broker: its options, its subscriptions, and what waits to be sent to it. */
export class Session implements CommandSink {
  readonly #broker: Broker;
  readonly #socket: Socket;
  readonly #limits: BrokerLimits;
  readonly #parser: CommandParser;
  readonly #outbox = new Outbox();
  readonly #subscriptions = new Map<string, Subscription>();
  #name = "";
  #hasConnected = false;
  #echo = true;
  #verbose = false;
  #headers = false;
  #noResponders = false;
  #ended = false;

  constructor(broker: Broker, socket: Socket, limits: BrokerLimits) {
    this.#broker = broker;
    this.#socket = socket;
    this.#limits = limits;
    this.#parser = new CommandParser(this, limits);
  }

  get name(): string {
    return this.#name;
  }

  /** It has said CONNECT: who it is, and how it wants to be spoken to. */
  get hasConnected(): boolean {
    return this.#hasConnected;
  }

  get echo(): boolean {
    return this.#echo;
  }

  get noResponders(): boolean {
    return this.#noResponders;
  }

  greet(info: object): void {
    this.#say(`INFO ${JSON.stringify(info)}`);
    this.flush();
  }

  receive(chunk: Buffer): void {
    if (this.#ended) return;
    const violation = this.#parser.push(chunk);
    if (violation !== undefined) this.refuse(violation);
  }

  /** Says why, then hangs up. */
  refuse(reason: string): void {
    if (this.#ended) return;
    this.#say(`-ERR '${reason}'`);
    this.hangUp();
  }

  /** Sends what is pending, then ends the connection. */
  hangUp(): void {
    this.flush();
    this.#end();
    this.#socket.end();
    this.#broker.endWithin(this.#socket);
    this.#broker.forget(this);
  }

  /** Whatever waits for it is dropped. */
  cut(): void {
    this.#end();
    this.#socket.destroy();
    this.#broker.forget(this);
  }

  /** One write for everything gathered in this turn. A client that does not read is cut off rather than remembered. */
  flush(): void {
    if (this.#outbox.length === 0 || this.#ended) return;
    this.#socket.write(this.#outbox.take());
    if (this.#socket.writableLength > this.#limits.pendingBytes) this.#cutOff(this.#socket.writableLength);
  }

  /** @returns the subscriptions it leaves */
  dropSubscriptions(): readonly Subscription[] {
    const left = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    return left;
  }

  deliver(
    subscription: Subscription,
    subject: string,
    reply: string | undefined,
    headerBytes: number,
    body: Buffer,
  ): void {
    if (this.#ended) return;
    const answer = reply === undefined ? "" : `${reply} `;
    if (headerBytes > 0 && this.#headers) {
      this.#outbox.line(`HMSG ${subject} ${subscription.sid} ${answer}${headerBytes} ${body.length}\r\n`);
      this.#outbox.body(body);
    } else {
      const plain = headerBytes > 0 ? body.subarray(headerBytes) : body;
      this.#outbox.line(`MSG ${subject} ${subscription.sid} ${answer}${plain.length}\r\n`);
      this.#outbox.body(plain);
    }
    this.#broker.touch(this);
    subscription.delivered += 1;
    if (subscription.delivered === subscription.max) this.#remove(subscription);
    // One turn's messages alone can be too many, where a client has many subscriptions to one subject.
    if (this.#outbox.length > this.#limits.pendingBytes) this.#cutOff(this.#outbox.length);
  }

  /** Answers a request that nobody will, on the subscription that waits for it. */
  sayNoResponders(sid: string, reply: string): void {
    this.#outbox.line(
      `HMSG ${reply} ${sid} ${NO_RESPONDERS.length} ${NO_RESPONDERS.length}\r\n${NO_RESPONDERS}\r\n`,
    );
    this.#broker.touch(this);
  }

  onConnect(json: Buffer): void {
    let options: unknown;
    try {
      options = JSON.parse(json.toString());
    } catch {
      this.refuse("Parser Error");
      return;
    }
    const { name, echo, verbose, headers, no_responders } = loose<
      "name" | "echo" | "verbose" | "headers" | "no_responders"
    >(options);
    this.#hasConnected = true;
    this.#echo = echo !== false;
    this.#verbose = verbose === true;
    this.#headers = headers === true;
    this.#noResponders = headers === true && no_responders === true;
    if (typeof name === "string" && name !== this.#name) {
      this.#broker.rename(this, name);
      this.#name = name;
    }
    this.#acknowledge();
  }

  onPing(): void {
    this.#say("PONG");
  }

  onSubscribe(subject: string, queue: string | undefined, sid: string): void {
    if (!SUBSCRIBABLE.test(subject)) {
      this.#say("-ERR 'Invalid Subject'");
      return;
    }
    // A client that reconnects may send a subscription twice: once from its list, once from its queue.
    if (this.#subscriptions.has(sid)) {
      this.#acknowledge();
      return;
    }
    if (this.#subscriptions.size >= this.#limits.subscriptionsPerClient) {
      this.refuse("maximum subscriptions exceeded");
      return;
    }
    const subscription: Subscription = { session: this, subject, queue, sid, delivered: 0, max: undefined };
    this.#subscriptions.set(sid, subscription);
    this.#broker.add(subscription);
    this.#acknowledge();
  }

  onUnsubscribe(sid: string, max: number | undefined): void {
    const subscription = this.#subscriptions.get(sid);
    if (subscription !== undefined) {
      if (max === undefined || max === 0 || subscription.delivered >= max) this.#remove(subscription);
      else subscription.max = max;
    }
    this.#acknowledge();
  }

  onPublish(subject: string, reply: string | undefined, headerBytes: number, body: Buffer): void {
    if (!PUBLISHABLE.test(subject)) {
      this.#say("-ERR 'Invalid Publish Subject'");
      return;
    }
    if (this.#broker.isReserved(subject)) {
      this.#say(`-ERR 'Permissions Violation for Publish to "${subject}"'`);
      return;
    }
    this.#broker.publish(this, subject, reply, headerBytes, body);
    this.#acknowledge();
  }

  #cutOff(pendingBytes: number): void {
    this.#broker.onSlowClient(this.#name, pendingBytes);
    this.cut();
  }

  #end(): void {
    this.#ended = true;
    this.#parser.close();
  }

  #remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.sid);
    this.#broker.remove(subscription);
  }

  #acknowledge(): void {
    if (this.#verbose) this.#say("+OK");
  }

  #say(line: string): void {
    if (this.#ended) return;
    this.#outbox.line(`${line}\r\n`);
    this.#broker.touch(this);
  }
}
