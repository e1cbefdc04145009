import {
  AckPolicy,
  connect,
  DeliverPolicy,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  nanos,
  ReplayPolicy,
  type StreamInfo,
} from "nats";
import type { ServerAddress } from "../../bus/nats/address.ts";
import type { NatsSettings } from "../../bus/nats/options.ts";
import { SocketSweeper } from "../../bus/nats/sockets.ts";
import type { Cancel, Clock } from "../../kernel/clock.ts";
import { CLOSE_MS, HEARTBEAT_MS } from "./limits.ts";
import type { LogMessage } from "./log-reader.ts";
import { findStream, type Greeting, judgeVersion, planOf, warnOfVersion } from "./stream.ts";

export interface ConnectionSettings {
  readonly nats: NatsSettings;
  readonly bucket: string;
  readonly replicas: number;
  readonly clientName: string;
  /** A text that nobody else uses: where answers come. */
  readonly inbox: string;
  /** Neither answered by the server nor any word of the log for so long: it is given up. */
  readonly silentMs: number;
  readonly clock: Clock;
}

export interface ConnectionHandlers {
  onMessage(message: LogMessage): void;
  /** The stream did not take what was published with this id. */
  onRefused(id: number, reason: string): void;
  onEnd(reason: string): void;
}

const NO_RESPONDERS = 503;
const STATUS = 100;

/**
 * One connection to one NATS server, from dial to end. Whatever goes wrong with it, or with the consumer that reads the log on it,
 * ends it: the client does not reconnect, sends nothing twice, and keeps nothing for later.
 */
export class JetstreamConnection {
  readonly #client: NatsConnection;
  readonly #settings: ConnectionSettings;
  readonly #handlers: ConnectionHandlers;
  readonly #sweeper: SocketSweeper;
  readonly #ended: Promise<void>;
  #manager: JetStreamManager | undefined;
  #heardMs: number;
  #lastDelivered = 0;
  #cancelWatch: Cancel = () => undefined;
  #isOver = false;

  private constructor(client: NatsConnection, settings: ConnectionSettings, handlers: ConnectionHandlers) {
    this.#client = client;
    this.#settings = settings;
    this.#handlers = handlers;
    this.#sweeper = new SocketSweeper(client);
    this.#heardMs = settings.clock.now().monotonicMs;
    this.#ended = client.closed().then((error) => {
      this.#over(error instanceof Error ? error.message : "it hung up");
    });
  }

  /** @param address of a server that has greeted a moment ago */
  static async open(
    address: ServerAddress,
    settings: ConnectionSettings,
    handlers: ConnectionHandlers,
  ): Promise<JetstreamConnection> {
    const { nats, silentMs } = settings;
    const client = await connect({
      servers: address.text,
      name: settings.clientName,
      inboxPrefix: nats.inboxPrefix,
      reconnect: false,
      ignoreClusterUpdates: true,
      timeout: nats.dialTimeoutMs,
      pingInterval: Math.ceil(silentMs / 2),
      maxPingOut: 2,
      ...(nats.authenticator === undefined ? {} : { authenticator: nats.authenticator }),
      ...(nats.tls === undefined ? {} : { tls: nats.tls }),
    });
    return new JetstreamConnection(client, settings, handlers);
  }

  async greet(): Promise<Greeting> {
    const { bucket, replicas, silentMs } = this.#settings;
    const fault = judgeVersion(this.#client.info?.version ?? "");
    if (fault !== undefined) return { kind: "refused", message: fault };
    const manager = await this.#client.jetstreamManager({ checkAPI: false, timeout: silentMs });
    this.#manager = manager;
    const greeting = await findStream(manager, planOf(bucket, replicas));
    const warning = warnOfVersion(this.#client.info?.version ?? "", replicas);
    if (greeting.kind === "refused" || warning === undefined) return greeting;
    return { ...greeting, warnings: [...greeting.warnings, warning] };
  }

  /** Has the log read from `first` on, for as long as the connection lasts. */
  async read({ config }: StreamInfo, first: number): Promise<void> {
    const { inbox, silentMs } = this.#settings;
    this.#client.subscribe(`${inbox}.log`, { callback: (_error, message) => this.#deliver(message) });
    this.#client.subscribe(`${inbox}.ack.*`, { callback: (_error, message) => this.#acknowledged(message) });
    await this.#manager?.consumers.add(config.name, {
      deliver_subject: `${inbox}.log`,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, first),
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      flow_control: true,
      idle_heartbeat: nanos(HEARTBEAT_MS),
      // The server takes whole numbers only.
      inactive_threshold: Math.ceil(nanos(2 * silentMs)),
      mem_storage: true,
      num_replicas: 1,
    });
    this.#heardMs = this.#settings.clock.now().monotonicMs;
    this.#watch();
  }

  /** Sends at once. @param id `onRefused` tells it; without, nobody is told */
  publish(kind: LogMessage["kind"], data: Uint8Array, id?: number): void {
    const { bucket, inbox } = this.#settings;
    if (this.#isOver || this.#client.isClosed()) return;
    const reply = id === undefined ? {} : { reply: `${inbox}.ack.${id}` };
    try {
      this.#client.publish(`rollcall-lease.${bucket}.${kind}`, data, reply);
    } catch (error) {
      // Larger than the server takes, say. Not told while the caller is still sending.
      const reason = error instanceof Error ? error.message : String(error);
      if (id === undefined) return;
      this.#settings.clock.endOfTurn(() => {
        if (!this.#isOver) this.#handlers.onRefused(id, reason);
      });
    }
  }

  /** Deletes what stands before `at`. Rejects when the server does not. */
  async purgeBefore(at: number): Promise<void> {
    const { bucket, replicas } = this.#settings;
    await this.#manager?.streams.purge(planOf(bucket, replicas).stream, { seq: at });
  }

  /** Ends it at once, with this reason. */
  fail(reason: string): void {
    void this.#client.close();
    this.#over(reason);
  }

  /** Sends what is pending, then hangs up. Resolves when the socket is gone. Idempotent. */
  async close(): Promise<void> {
    if (!this.#client.isClosed()) {
      await this.#within(CLOSE_MS, this.#client.flush());
      void this.#client.close();
      await this.#within(CLOSE_MS, this.#ended);
    }
    this.#over("it was closed");
  }

  #over(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelWatch();
    this.#sweeper.onClose();
    this.#handlers.onEnd(reason);
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#settings.clock.after(ms, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      work.then(done, done);
    });
  }

  #watch(): void {
    const { clock, silentMs } = this.#settings;
    if (this.#isOver) return;
    const leftMs = this.#heardMs + silentMs - clock.now().monotonicMs;
    if (leftMs <= 0) {
      this.fail("the log has gone silent");
      return;
    }
    this.#cancelWatch = clock.after(leftMs, () => this.#watch());
  }

  #deliver(message: Msg): void {
    if (this.#isOver) return;
    this.#heardMs = this.#settings.clock.now().monotonicMs;
    if (message.headers?.code === STATUS && message.data.length === 0) {
      this.#hearStatus(message);
      return;
    }
    const delivery = readDelivery(message.reply ?? "");
    if (delivery === undefined) return;
    if (delivery.delivered !== this.#lastDelivered + 1) {
      this.fail("a part of the log was lost on the way");
      return;
    }
    this.#lastDelivered = delivery.delivered;
    const kind = message.subject.endsWith(".part") ? "part" : "entry";
    this.#handlers.onMessage({ kind, data: message.data, at: delivery.at, writtenMs: delivery.writtenMs });
  }

  #hearStatus(message: Msg): void {
    // Flow control: the server waits for an answer before it sends more. A heartbeat names it when one was lost.
    const stalled = message.headers?.get("Nats-Consumer-Stalled");
    if (message.reply !== undefined && message.reply !== "") this.#client.publish(message.reply);
    else if (stalled !== undefined && stalled !== "") this.#client.publish(stalled);
    const last = message.headers?.get("Nats-Last-Consumer");
    if (last !== undefined && last !== "" && Number(last) !== this.#lastDelivered) {
      this.fail("the end of the log was lost on the way");
    }
  }

  #acknowledged(message: Msg): void {
    if (this.#isOver) return;
    const id = Number(message.subject.slice(message.subject.lastIndexOf(".") + 1));
    if (message.headers?.code === NO_RESPONDERS) {
      this.#handlers.onRefused(id, "the log has no leader now");
      return;
    }
    const text = Buffer.from(message.data).toString();
    if (text.includes('"error"')) this.#handlers.onRefused(id, text);
  }
}

/** Where a message came from, as JetStream writes it into the subject for answers: with a domain there are two fields more. */
function readDelivery(
  reply: string,
): { readonly delivered: number; readonly at: number; readonly writtenMs: number } | undefined {
  const fields = reply.split(".");
  const skip = fields.length === 9 ? 5 : 7;
  if (fields[0] !== "$JS" || fields.length < 9) return undefined;
  const at = Number(fields[skip]);
  const delivered = Number(fields[skip + 1]);
  const writtenMs = Number(fields[skip + 2]) / 1_000_000;
  return Number.isSafeInteger(at) && Number.isSafeInteger(delivered)
    ? { at, delivered, writtenMs }
    : undefined;
}
