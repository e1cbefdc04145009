import type { ClusterNode, Pid } from "../../../src/index.ts";

export interface TrafficTarget {
  readonly pid: Pid;
  /** The target holds it. */
  readonly name: string;
  /** The target is in it, among others. */
  readonly group: string;
  /** Who says it. */
  readonly from: Pid;
  /** How long calls wait. */
  readonly callMs: number;
}

/** After 1 to this many messages the event loop has a turn, so that some share frames and others do not. */
const MOST_IN_A_TURN = 37;
/** Makes the lengths of the turns differ, and so what they begin with. */
const STRIDE = 7_919;

/**
 * Sends the numbers from `first` on, each in another way than the one before: to the pid, to the name, as a call, to the group, to
 * the group on one node. Returns how many calls were answered.
 */
export async function sendMixed(
  node: ClusterNode,
  to: TrafficTarget,
  first: number,
  count: number,
): Promise<number> {
  const calls: Promise<boolean>[] = [];
  const targetNode = node.nodes().find(({ id }) => to.pid.startsWith(`${id}/`))?.id;
  const { callMs, from } = to;
  let untilTurn = 0;
  for (let index = first; index < first + count; index += 1) {
    switch (index % 5) {
      case 0:
        node.send(to.pid, index, { from });
        break;
      case 1:
        node.groups.publish(to.group, index, { from });
        break;
      case 2:
        node.send({ name: to.name }, index, { from });
        break;
      case 3:
        calls.push(node.call(to.pid, index, { from, timeoutMs: callMs }).then(isAnswered, isRefused));
        break;
      case 4:
        node.groups.publish(to.group, index, {
          from,
          ...(targetNode === undefined ? {} : { only: targetNode }),
        });
        break;
    }
    untilTurn -= 1;
    if (untilTurn > 0) continue;
    untilTurn = 1 + ((index * STRIDE) % MOST_IN_A_TURN);
    await new Promise((resolve) => void setImmediate(resolve));
  }
  return (await Promise.all(calls)).filter((answered) => answered).length;
}

const isAnswered = (): boolean => true;
const isRefused = (): boolean => false;
