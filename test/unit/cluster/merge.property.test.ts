import { mergeScenario } from "../../scenarios/merge.scenario.ts";

mergeScenario({ runs: 300, seed: 1, withinMs: 60_000 });
