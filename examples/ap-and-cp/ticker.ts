import {
  type ClusterNode,
  NameTakenError,
  NoQuorumError,
  type Process,
  RollcallError,
  TimeoutError,
} from "rollcall";
import type { Notebook } from "./notebook.ts";

const NAME = "ticker";
/** After this a node that stands in line for the strict name looks around, and stands in line again. */
const IN_LINE_MS = 2_000;
/** Between two attempts after something unforeseen, so that a lasting fault does not make a busy loop. */
const AGAIN_MS = 100;

/** The right to run, while it lasts. */
export interface Right {
  readonly token?: bigint;
  /** Aborted when it is over. */
  readonly signal: AbortSignal;
  isHeld(): boolean;
}

/** Waits until this process is the one that may run. The only thing in which the two tickers differ. */
export type Ask = (node: ClusterNode, process: Process, stop: AbortSignal) => Promise<Right>;

/** By an available name: whoever has it, runs. Who does not, waits for the end of who has. */
export const byAvailableName: Ask = async (node, process, stop) => {
  for (;;) {
    try {
      await node.names.register(NAME, process, { signal: stop });
      return { signal: process.signal, isHeld: () => !process.signal.aborted };
    } catch (error) {
      if (!(error instanceof NameTakenError)) throw error;
      await earlier(node.monitor(error.holder).down, stop);
    }
  }
};

/** By a strict name: whoever holds its lease, runs. Who does not, stands in line. */
export const byStrictName: Ask = async (node, process, stop) =>
  node.strictNames.register(NAME, process, { wait: true, timeoutMs: IN_LINE_MS, signal: stop });

export interface TickerOptions {
  readonly node: ClusterNode;
  readonly ask: Ask;
  readonly notebook: Notebook;
  /** Milliseconds since the start of the round. */
  now(): number;
  readonly tickMs: number;
  readonly stop: AbortSignal;
}

/** The program that is started on every node and is to run on one. It resolves when it is stopped. */
export async function runTicker(options: TickerOptions): Promise<void> {
  const { ask, node, notebook, stop } = options;
  while (!stop.aborted) {
    await using process = node.spawn();
    try {
      const right = await ask(node, process, stop);
      // Where the event loop stood still, what was granted meanwhile may be over.
      if (!right.isHeld()) continue;
      const entry = notebook.started(node.name, right.token);
      right.signal.addEventListener("abort", () => entry.ended(), { once: true });
      await tick(right, options);
      if (!stop.aborted) entry.because((await process.exited).kind);
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof RollcallError)) throw error;
      if (error instanceof NoQuorumError) notebook.refused(node.name);
      else if (!(error instanceof TimeoutError)) await pause(AGAIN_MS, stop);
    }
  }
}

/** Does each piece of work when it is due, for as long as it may. */
async function tick(right: Right, { node, notebook, now, stop, tickMs }: TickerOptions): Promise<void> {
  let number = 0;
  for (;;) {
    // Timers may fire a little early: the one that was done last is not due again.
    number = Math.max(number, Math.floor(now() / tickMs)) + 1;
    await pause(number * tickMs - now(), right.signal, stop);
    if (right.signal.aborted || stop.aborted) return;
    // The signal says that it is over; whether it still holds, only this does.
    if (right.isHeld()) notebook.ticked(node.name, number);
  }
}

/** Resolves after so long, or when one of the signals aborts. */
export function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) signal.addEventListener("abort", done);
    if (signals.some(({ aborted }) => aborted)) done();
  });
}

/** What it resolves with, unless the signal aborts first. */
function earlier<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
