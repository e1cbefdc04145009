import { afterEach, beforeEach, describe } from "vitest";
import { describeGuard } from "./lease/guard.ts";
import { describeQueues } from "./lease/queues.ts";
import { describeConnections, describeFirstUse, describeSessions } from "./lease/sessions.ts";
import { type LeaseHarness, makeStage, type Stage } from "./lease/stage.ts";
import { describeTokens, describeVotes } from "./lease/votes.ts";

export type { LeaseHarness } from "./lease/stage.ts";

/** The rules of the lease port, for every store alike. Each server is for itself, so one of them is enough to look at. */
export function describeLeases(name: string, makeHarness: () => Promise<LeaseHarness>): void {
  describe(name, () => {
    let stage: Stage & AsyncDisposable;
    beforeEach(async () => {
      stage = await makeStage(await makeHarness());
    });
    afterEach(async () => {
      await stage[Symbol.asyncDispose]();
    });
    const get = (): Stage => stage;

    describeFirstUse(get);
    describeSessions(get);
    describeVotes(get);
    describeTokens(get);
    describeConnections(get);
    describeQueues(get);
    describeGuard(get);
  });
}
