import { type Bus, natsBus } from "../src/index.ts";

/** Bytes given to the bus, by whom they were for. */
export interface SentBytes {
  toAll: number;
  toOne: number;
}

/** The token of a subject that says whom it is for: `rc.<cluster>.node.…` is for one node. */
const FOR_ONE = ".node.";

/** The NATS bus, counting what is sent: once for each frame, which costs nothing beside the sending of it. */
export function countingBus(url: string, sent: SentBytes): Bus {
  const bus = natsBus({ servers: url });
  return {
    kind: bus.kind,
    async connect(options) {
      const connection = await bus.connect(options);
      const publish = connection.publish.bind(connection);
      connection.publish = (subject, data) => {
        if (subject.includes(FOR_ONE)) sent.toOne += data.length;
        else sent.toAll += data.length;
        return publish(subject, data);
      };
      return connection;
    },
  };
}
