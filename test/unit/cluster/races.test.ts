import { racesScenario } from "../../scenarios/races.scenario.ts";

racesScenario(
  Array.from({ length: 10 }, (_, index) => `race-${index}`),
  { rounds: 200, withinMs: 60_000 },
);
