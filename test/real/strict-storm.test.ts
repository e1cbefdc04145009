import { expect, test } from "vitest";
import { judgeStorm, planStorm } from "../support/storm-judge.ts";
import { RedisStage } from "../support/storm-stage.ts";

/** Short, so that much is lost and taken over. */
const TTL_MS = 1_000;
const PLAN = planStorm(60, { acquisitions: 200, takeovers: 20 });

test(
  `C1, C2, C3: nobody overlaps, tokens go up, and the history has an order, while servers and nodes are killed and stopped (STORM_SEED=${PLAN.seed})`,
  async () => {
    expect.hasAssertions();
    await using stage = await RedisStage.start(TTL_MS);
    await judgeStorm(stage, PLAN);
  },
  PLAN.seconds * 1_000 + 120_000,
);
