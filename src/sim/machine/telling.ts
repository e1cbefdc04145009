import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { ClusterMessage } from "../../node/protocol.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

/** One thing that happened, for a reader. */
export interface TraceLine {
  readonly atMs: number;
  readonly place: number;
  readonly kind: string;
  readonly text: string;
  /** Where a message came from. */
  readonly from?: number | undefined;
}

/** A line for each thing that a step was about, and one for each that it brought about. */
export function tellStep(
  world: World,
  tell: (line: TraceLine) => void,
  node: SimNode,
  input: NodeInput,
  effects: readonly NodeEffect[],
): void {
  if (input.kind === "frame") {
    for (const message of input.messages) {
      if (isTalk(message)) continue;
      tell({
        atMs: world.nowMs,
        place: node.place,
        kind: "receive",
        text: message.kind,
        from: world.nodeOf(input.from)?.place,
      });
    }
  } else if (input.kind !== "tick" && input.kind !== "flush") {
    tell({ atMs: world.nowMs, place: node.place, kind: "input", text: JSON.stringify(input) });
  }
  for (const effect of effects) {
    if (effect.kind === "send" || effect.kind === "broadcast") {
      if (isTalk(effect.message)) continue;
      tell({ atMs: world.nowMs, place: node.place, kind: effect.kind, text: effect.message.kind });
    } else if (effect.kind !== "probe" && effect.kind !== "log" && effect.kind !== "wrote") {
      tell({
        atMs: world.nowMs,
        place: node.place,
        kind: effect.kind,
        text: JSON.stringify(effect),
      });
    }
  }
}

/** What nodes say all the time. */
function isTalk(message: ClusterMessage): boolean {
  return message.kind === "beat" || message.kind === "pulse" || message.kind === "watchCheck";
}
