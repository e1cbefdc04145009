import { expect, test } from "vitest";
import { judgeStorm, planStorm } from "../support/storm-judge.ts";
import { JetstreamStage } from "../support/storm-stage.ts";

/** Above what an election takes, or every one of them would end all leases. */
const TTL_MS = 15_000;
const PLAN = planStorm(75, { acquisitions: 200, takeovers: 20 });

test(
  `C1, C2, C3: the same on JetStream, while the leader of the stream, its other servers and nodes are killed and stopped (STORM_SEED=${PLAN.seed})`,
  async () => {
    expect.hasAssertions();
    await using stage = await JetstreamStage.start(TTL_MS);
    await judgeStorm(stage, PLAN);
  },
  PLAN.seconds * 1_000 + 180_000,
);
