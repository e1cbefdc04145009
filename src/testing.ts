export { SimulationFailedError, type SimulationLine } from "./sim/testing/failure.ts";
export {
  type MemoryLeaseStore,
  type MemoryLeasesOptions,
  memoryLeases,
} from "./sim/testing/memory-leases.ts";
export { type SimulateOptions, type SimulationReport, simulate } from "./sim/testing/simulate.ts";
export type {
  SimulatedNode,
  SimulatedNodeOptions,
  Simulation,
  WaitInSimulation,
} from "./sim/testing/simulation.ts";
