import { mergeScenario } from "../scenarios/merge.scenario.ts";

mergeScenario({ runs: 5_000, seed: 2, withinMs: 180_000 });
