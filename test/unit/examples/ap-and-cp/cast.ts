import type { Timeline } from "../../../../examples/ap-and-cp/timeline.ts";

/** Both sides ran an available ticker, from 4 to 6.5 s. */
export const AVAILABLE: Timeline = {
  kind: "available",
  sides: [
    { name: "west", nodes: ["west-1", "west-2"], servers: ["s1", "s2"] },
    { name: "east", nodes: ["east-1"], servers: ["s3"] },
  ],
  tickMs: 1_000,
  cutMs: 2_000,
  healMs: 6_000,
  endMs: 10_000,
  stallMs: 20,
  holdings: [
    { node: "east-1", fromMs: 1_000, toMs: 10_000, end: "stillRunning" },
    { node: "west-2", fromMs: 4_000, toMs: 6_500, end: "nameClash" },
  ],
  ticks: [
    ...[2, 3, 4, 5, 6, 7, 8, 9].map((number) => ({ number, node: "east-1", atMs: number * 1_000 })),
    ...[5, 6].map((number) => ({ number, node: "west-2", atMs: number * 1_000 })),
  ],
  decisions: [{ by: "east-1", atMs: 6_400, contenders: ["east-1", "west-2"], kept: "east-1" }],
  refusals: [],
};

/** The strict one moved from east to west, after 40 ms with nobody. */
export const STRICT: Timeline = {
  ...AVAILABLE,
  kind: "strict",
  holdings: [
    { node: "east-1", fromMs: 1_000, toMs: 3_980, end: "leaseLost", token: "1795259806252000" },
    { node: "west-2", fromMs: 4_020, toMs: 10_000, end: "stillRunning", token: "1795259806252001" },
  ],
  ticks: [
    ...[2, 3].map((number) => ({ number, node: "east-1", atMs: number * 1_000 })),
    ...[5, 6, 7, 8, 9].map((number) => ({ number, node: "west-2", atMs: number * 1_000 })),
  ],
  decisions: [],
  refusals: [
    { node: "east-1", atMs: 5_000 },
    { node: "east-1", atMs: 5_500 },
  ],
};
