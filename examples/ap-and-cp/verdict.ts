import { measure } from "./measure.ts";
import type { Holding, Kind, Side, Timeline } from "./timeline.ts";

/** What both tickers of a round have to show; each thing that they do not, as a sentence. None: all is as it should be. */
export function shortcomings(timelines: readonly Timeline[]): readonly string[] {
  const kinds: readonly Kind[] = ["available", "strict"];
  return kinds.flatMap((kind) => {
    const timeline = timelines.find((each) => each.kind === kind);
    if (timeline === undefined) return [`nothing was recorded of ${kind} names`];
    return kind === "available" ? shortcomingsOfAvailable(timeline) : shortcomingsOfStrict(timeline);
  });
}

function shortcomingsOfAvailable(timeline: Timeline): readonly string[] {
  const { cutMs, decisions, endMs, healMs, holdings, sides } = timeline;
  const during = { fromMs: cutMs, toMs: healMs };
  const without = sides.filter((side) => !holdings.some((holding) => ran(holding, side, during)));
  const left = holdings.filter(({ toMs }) => toMs >= endMs);
  return [
    ...without.map(({ name }) => `available names: nobody ran in the ${name} during the partition`),
    ...(measure(timeline).overlaps.length > 0 ? [] : ["available names: two never ran at once"]),
    ...(decisions.length === 1
      ? []
      : [`available names: the resolver ran ${decisions.length} times, not once`]),
    ...(left.length === 1 ? [] : [`available names: ${left.length} ran at the end, not one`]),
  ];
}

function shortcomingsOfStrict(timeline: Timeline): readonly string[] {
  const { cutMs, healMs, holdings, sides } = timeline;
  const majority = sides.reduce((most, side) => (side.servers.length > most.servers.length ? side : most));
  const inOrder = [...holdings].sort((left, right) => left.fromMs - right.fromMs);
  const tokens = inOrder.map(({ token }) => BigInt(token ?? 0));
  const rise = tokens.every((token, index) => token > (tokens[index - 1] ?? 0n));
  return [
    ...(measure(timeline).overlaps.length === 0 ? [] : ["strict names: two ran at once"]),
    ...(inOrder.some(({ fromMs }) => fromMs < cutMs) ? [] : ["strict names: nobody ran before the cut"]),
    ...(inOrder.some((holding) => ran(holding, majority, { fromMs: cutMs, toMs: healMs }))
      ? []
      : [`strict names: nobody ran in the ${majority.name}, which has the majority, during the partition`]),
    ...(rise ? [] : [`strict names: the tokens do not rise: ${tokens.join(", ")}`]),
  ];
}

function ran(holding: Holding, side: Side, { fromMs, toMs }: { fromMs: number; toMs: number }): boolean {
  return side.nodes.includes(holding.node) && holding.fromMs < toMs && holding.toMs > fromMs;
}
