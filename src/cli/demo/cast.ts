import type { Stage } from "./stage.ts";

/** How long a step may take that is a matter of milliseconds. */
export const SOON_MS = 5_000;
/** How long one may take that waits for silence to count: `deadAfterMs` is 8,000 by default. */
export const SILENCE_MS = 20_000;

// The first hosts the embedded bus, so it is not the first to be killed.
export const OSLO = "oslo";
export const LIMA = "lima";
export const CAIRO = "cairo";
export const DELHI = "delhi";
export const PERTH = "perth";
export const CAST = [OSLO, LIMA, CAIRO, DELHI, PERTH];
/** The sides of the partition. */
export const NORTH = [OSLO, CAIRO];
export const SOUTH = [DELHI, PERTH];
/** All but lima, which is killed. */
export const SURVIVORS = [...NORTH, ...SOUTH];

/** One node calls a service, and it is the one expected that answers. */
export async function callService(stage: Stage, from: string, name: string, expected: string): Promise<void> {
  const { by, orders } = await stage.member(from).ask("call", { name });
  await stage.verify(`${from} calls "${name}": ${by} answers, order ${orders}`, 0, () =>
    by === expected ? [] : [`an answer by ${expected}`],
  );
}
