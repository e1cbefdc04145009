import { type Channel, ok, refuse, reply } from "../../examples/phoenix-like-pubsub/channels/index.ts";
import type { Pid, Process } from "../../src/index.ts";

/** What is known of the channels of a room. */
export interface RoomNotes {
  /** Topics, and how their channels ended. */
  readonly ended: string[];
  readonly processes: Map<Pid, Process>;
}

/** A channel that does everything that tests ask of it, by events. */
export function roomChannel({ ended, processes }: RoomNotes = { ended: [], processes: new Map() }): Channel {
  return {
    join(payload, { process, topic }) {
      processes.set(process.pid, process);
      const { refused, crash } = asRecord(payload);
      if (crash === true) throw new Error("join crashed on purpose");
      if (typeof refused === "string") return refuse(refused);
      return ok({ joined: topic });
    },
    handleIn(event, payload, context) {
      switch (event) {
        case "echo":
          return ok(payload);
        case "teapot":
          return reply("teapot", { short: true });
        case "refuse":
          return refuse("no");
        case "shout":
          context.broadcast("shouted", payload);
          return ok({});
        case "shoutToOthers":
          context.broadcastFrom("shouted", payload);
          return undefined;
        case "pushBack":
          context.push("pushed", payload);
          return undefined;
        case "pushLong":
          context.push("e".repeat(256), payload);
          return undefined;
        case "crash":
          throw new Error("crashed on purpose");
        case "stop":
          context.stop();
          return undefined;
        case "pid":
          return ok({ pid: context.process.pid });
        default:
          return undefined;
      }
    },
    handleInfo(message, { push }) {
      push("info", { message });
      return "told";
    },
    terminate({ kind }, { topic }) {
      ended.push(`${topic} ${kind}`);
    },
  };
}

export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** A channel that shows who is there: each by the key and the state that its join names. */
export const lobbyChannel: Channel = {
  presence: true,
  join(payload, { assigns, presence }) {
    const { key, as } = asRecord(payload);
    assigns["key"] = String(key);
    presence.track(String(key), { as });
    return ok();
  },
  handleIn(_event, payload, { assigns, presence }) {
    presence.update(String(assigns["key"]), (meta) => ({ ...meta, ...asRecord(payload) }));
    return ok();
  },
};
