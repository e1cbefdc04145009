import type { NodeId } from "../kernel/ids.ts";
import { ANSWERS_PER_RETRY, RETRY_MS } from "./limits.ts";

interface Window {
  readonly startMs: number;
  answers: number;
}

/**
 * How often each asker is answered. A question takes a dozen bytes, its answer up to a megabyte, and questions pile up without
 * any malice:
 *
 * 1. This node stands still for ten seconds. 2. Everyone who misses something asks, and asks again. 3. It wakes, finds thirty
 * questions of each, and would be busy with the answers until it is taken for dead.
 */
export class AnswerBudget {
  readonly #windows = new Map<NodeId, Window>();

  /** False: it was answered enough for now. It will ask again. */
  take(asker: NodeId, nowMs: number): boolean {
    const window = this.#windows.get(asker);
    if (window === undefined || nowMs >= window.startMs + RETRY_MS) {
      this.#windows.set(asker, { startMs: nowMs, answers: 1 });
      return true;
    }
    if (window.answers >= ANSWERS_PER_RETRY) return false;
    window.answers += 1;
    return true;
  }

  drop(asker: NodeId): void {
    this.#windows.delete(asker);
  }
}
