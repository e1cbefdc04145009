import { partitionsScenario } from "../../scenarios/partitions.scenario.ts";

partitionsScenario(
  Array.from({ length: 40 }, (_, index) => `split-${index}`),
  { withinMs: 60_000 },
);
