import { racesScenario } from "../scenarios/races.scenario.ts";

racesScenario(["marathon-1", "marathon-2", "marathon-3", "marathon-4"], {
  rounds: 25_000,
  withinMs: 300_000,
});
