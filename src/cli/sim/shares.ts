import { type ChildProcess, fork } from "node:child_process";
import type { Clock } from "../../kernel/clock.ts";
import type { AnyPlan } from "../../sim/any-plan.ts";
import { runMany } from "../../sim/run-many.ts";
import { type Summary, Tally } from "../../sim/summary.ts";
import type { Terms, Tier } from "../../sim/tier.ts";

/** What a process with a share is told. */
interface Share {
  readonly from: number;
  readonly seeds: number;
  readonly stride: number;
}

/** What it tells. */
interface Word {
  readonly kind: "progress" | "done";
  readonly summary: Summary;
}

export interface SharesOptions {
  readonly jobs: number;
  readonly from: number;
  readonly seeds: number;
  readonly tier: Terms;
  readonly clock: Clock;
  readonly onProgress: (summary: Summary) => void;
  readonly signal: AbortSignal;
}

/** Runs the seeds in OS processes of their own: one after another in turn goes to each, for some plans take longer. */
export async function runShares(options: SharesOptions): Promise<Summary> {
  const { jobs, from, seeds, tier, clock, onProgress, signal } = options;
  const begunMs = clock.now().monotonicMs;
  const latest = new Map<number, Summary>();
  const together = (): Summary => {
    const tally = new Tally(tier.expectedMarks);
    for (const summary of latest.values()) tally.addSummary(summary);
    return tally.summary(clock.now().monotonicMs - begunMs);
  };
  const shares = Array.from({ length: Math.min(jobs, seeds) }, (_, index) => {
    const share: Share = { from: from + index, seeds: seeds - index, stride: Math.min(jobs, seeds) };
    return runShare(share, tier, signal, (summary) => {
      latest.set(index, summary);
      onProgress(together());
    });
  });
  await Promise.all(shares);
  return together();
}

function runShare(
  share: Share,
  { options }: Terms,
  signal: AbortSignal,
  hear: (summary: Summary) => void,
): Promise<void> {
  const program = process.argv[1] ?? "";
  // Of its own group: Ctrl-C reaches it through the process that adds the shares up, which wants to hear its last word.
  const child = fork(program, ["--share", ...options], { detached: true });
  const stop = (): void => {
    if (child.connected) child.send("stop");
  };
  signal.addEventListener("abort", stop);
  child.send(share);
  return new Promise<void>((resolve, reject) => {
    child.on("message", (word: Word) => {
      hear(word.summary);
      if (word.kind === "done") resolve();
    });
    child.on("exit", (code) => reject(new Error(`a process with a share of the seeds ended with ${code}`)));
  }).finally(() => end(child, () => signal.removeEventListener("abort", stop)));
}

function end(child: ChildProcess, forget: () => void): void {
  forget();
  if (child.connected) child.disconnect();
}

/** The other end: runs the share that it is told, until it is done, or told to stop, or alone. */
export async function serveShare<P extends AnyPlan>(tier: Tier<P>, clock: Clock): Promise<void> {
  const ended = new AbortController();
  const share = await new Promise<Share>((resolve) => {
    process.on("message", (word: Share | "stop") => (word === "stop" ? ended.abort() : resolve(word)));
    process.on("disconnect", () => ended.abort());
  });
  const tell = (kind: Word["kind"], summary: Summary): void => {
    if (process.connected) process.send?.({ kind, summary } satisfies Word);
  };
  const summary = await runMany({
    ...share,
    tier,
    clock,
    onProgress: (each) => tell("progress", each),
    signal: ended.signal,
  });
  tell("done", summary);
}
