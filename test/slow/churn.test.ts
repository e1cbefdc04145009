import { churnScenario } from "../scenarios/churn.scenario.ts";

churnScenario(
  Array.from({ length: 300 }, (_, index) => `long-churn-${index}`),
  { withinMs: 180_000 },
);
