import type { Bus } from "../../bus/port.ts";
import { nameToken } from "../../node/subjects.ts";

/** A bus whose node can be cut off from others. */
export interface CuttableBus extends Bus {
  /** From now on nothing comes in from the nodes of these names, and all from others. */
  cutOff(names: readonly string[]): void;
}

/**
 * Makes a partition where there is one bus, which cannot be split: the node drops what the other side sent, on arrival, before
 * it has looked at it. When both sides do, then to either the other has fallen silent, as with a broken switch between them.
 * Whose a frame is, the last token of its subject says.
 */
export function cuttable(bus: Bus): CuttableBus {
  let cut: ReadonlySet<string> = new Set();
  return {
    kind: bus.kind,
    connect: (options) =>
      bus.connect({
        ...options,
        onMessage(subject, data) {
          if (!cut.has(subject.slice(subject.lastIndexOf(".") + 1))) options.onMessage(subject, data);
        },
        onNoResponders: (subject) => options.onNoResponders(subject),
        onStatus: (status) => options.onStatus(status),
      }),
    cutOff(names) {
      cut = new Set(names.map(nameToken));
    },
  };
}
