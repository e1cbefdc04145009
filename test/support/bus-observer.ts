import { connect, type NatsConnection } from "nats";

export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
}

/**
 * A plain client of the same nats-server, which sees all that the nodes say, and can say anything. While it is there, the server
 * finds somebody on the private subjects: "no responders", by which nodes know that another was killed, does not come. On the
 * subjects for node names, which a starting node waits for, it does not listen.
 */
export class BusObserver implements AsyncDisposable {
  readonly messages: BusMessage[] = [];
  readonly #connection: NatsConnection;

  private constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  static async start(url: string): Promise<BusObserver> {
    const connection = await connect({ servers: url, name: "observer", noEcho: true });
    const observer = new BusObserver(connection);
    for (const subject of ["rc.*.all.*", "rc.*.scope.>", "rc.*.node.>"]) {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null && message.data.length > 0)
            observer.messages.push({ subject: message.subject, data: message.data.slice() });
        },
      });
    }
    await connection.flush();
    return observer;
  }

  /** Of the nats-server. Nodes tell it in their greetings, and nowhere else. */
  get serverId(): string {
    return this.#connection.info?.server_id ?? "";
  }

  /** Those that carry this text somewhere. */
  carrying(text: string): readonly BusMessage[] {
    return this.messages.filter(({ data }) => Buffer.from(data).includes(text));
  }

  publish(subject: string, data: Uint8Array): void {
    this.#connection.publish(subject, data);
  }

  async flush(): Promise<void> {
    await this.#connection.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}
