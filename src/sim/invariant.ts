import type { Stamp } from "../kernel/hlc.ts";
import type { NodeEffect, NodeInput } from "../node/machine-types.ts";
import type { SimNode } from "./machine/node.ts";

/** A rule that is looked at while the world runs. It says what it sees by `world.fail`. */
export interface Invariant {
  /** A machine has made a step. */
  stepped?(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void;
  /**
   * It made a step that somebody besides machines could know of: a program asked for it, or it told one something. Most steps
   * are none, so this costs a tenth of what `stepped` does.
   */
  told?(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void;
  /** What the step asked for has been done, inside the node. */
  settled?(node: SimNode, input: NodeInput): void;
  /** It sends a frame with this stamp. */
  sent?(node: SimNode, stamp: Stamp): void;
  /** The faults have long been over. */
  atRest?(): void;
}
