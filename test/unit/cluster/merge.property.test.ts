import { mergeScenario } from "../../scenarios/merge.scenario.ts";

mergeScenario({ runs: 200, seed: 1, withinMs: 60_000 });
