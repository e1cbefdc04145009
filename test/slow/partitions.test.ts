import { partitionsScenario } from "../scenarios/partitions.scenario.ts";

partitionsScenario(
  Array.from({ length: 600 }, (_, index) => `long-split-${index}`),
  { withinMs: 180_000 },
);
