import type { Bus, BusConnectOptions } from "rollcall";

export interface PartableBus extends Bus {
  /** From now on nodes of different lists hear nothing from each other. */
  part(sides: readonly (readonly string[])[]): void;
  heal(): void;
}

/**
 * A bus for the nodes of one program, which can be parted. The bus itself is one and cannot be split: each node drops what the
 * other side sent, on arrival, before it has looked at it. As both sides do, each has fallen silent for the other, as with a
 * broken switch between them, and nobody is told.
 */
export function partable(bus: Bus): PartableBus {
  let sides: readonly (readonly string[])[] = [];
  const sideOf = (node: string): number => sides.findIndex((side) => side.includes(node));
  return {
    kind: bus.kind,
    connect(options: BusConnectOptions) {
      // It is given as the node's id: `name@incarnation`.
      const me = options.clientName.slice(0, options.clientName.lastIndexOf("@"));
      return bus.connect({
        ...options,
        onMessage(subject, data) {
          // Whose a frame is, the last part of its subject says: the name, where that is letters, digits and dashes.
          const sender = subject.slice(subject.lastIndexOf(".") + 1);
          if (sideOf(sender) === sideOf(me)) options.onMessage(subject, data);
        },
        onNoResponders: (subject) => options.onNoResponders(subject),
        onStatus: (status) => options.onStatus(status),
      });
    },
    part(asked) {
      sides = asked;
    },
    heal() {
      sides = [];
    },
  };
}
