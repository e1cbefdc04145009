import type { NodeId } from "../kernel/ids.ts";
import type { Hello } from "./protocol.ts";

/** What a node does about another one of its name. */
export type NamesakeVerdict =
  /** Answer it with a hello of our own, so that it decides, or that we can. */
  | "greet"
  /** It must close: tell it so, with the nonce of its hello. */
  | "dismiss"
  /** This node must close. */
  | "yield";

/**
 * Two live nodes of one name, found when a partition heals, or started together. The earlier stays and the later closes. The
 * earlier decides, alone, so that they never both stay or both close; the later closes only on its word.
 *
 * One exception. 1. n1 (earlier) is stopped, or cut off, for so long that the others give it up. 2. n1 (later) is started in its
 * place, makes sure that nobody answers, and takes over. 3. The earlier wakes up. By now the later is n1 to everyone, and the
 * earlier, which knows that it was away, yields: but only to one that proves, by an echo, that it is still there.
 *
 * @param proven its hello echoes a nonce that this node gave out since it came back
 */
export function judgeNamesake(
  self: NodeId,
  other: NodeId,
  hello: Hello,
  wasAway: boolean,
  proven: boolean,
): NamesakeVerdict {
  if (self > other) return "greet";
  if (wasAway && hello.replaces) return proven ? "yield" : "greet";
  return hello.nonce === 0 ? "greet" : "dismiss";
}
