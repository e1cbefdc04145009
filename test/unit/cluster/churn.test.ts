import { churnScenario } from "../../scenarios/churn.scenario.ts";

churnScenario(
  Array.from({ length: 20 }, (_, index) => `churn-${index}`),
  { withinMs: 60_000 },
);
