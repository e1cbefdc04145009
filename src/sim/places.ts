import type { Plan } from "./plan.ts";

/** Under these an operation or a fault names a node that it needs. In a cut anybody may stand, needed or not. */
const ROLES = new Set(["node", "owner", "watched", "from", "to"]);

/** The places that a plan does something with. */
export function placesNamedIn({ operations, faults }: Plan): ReadonlySet<number> {
  const named = new Set<number>();
  JSON.stringify([operations, faults], (key, value) => {
    if (ROLES.has(key) && typeof value === "number") named.add(value);
    return value;
  });
  return named;
}

/**
 * Plans in which the last node that is needed, of those that are there from the beginning, has changed places with one before it
 * that is not. Which of them is another matter: who judges what goes by the places too.
 */
export function movedDown(plan: Plan): readonly Plan[] {
  const named = placesNamedIn(plan);
  const places = Array.from({ length: plan.nodes }, (_, place) => place);
  const last = places.findLast((place) => named.has(place)) ?? 0;
  return places
    .filter((place) => place < last && !named.has(place))
    .map((free) => withPlaces(plan, (place) => (place === last ? free : place === free ? last : place)));
}

function withPlaces(plan: Plan, move: (place: number) => number): Plan {
  const { operations, faults } = plan;
  const moved = JSON.stringify({ operations, faults }, (key, value) => {
    if (ROLES.has(key) && typeof value === "number") return move(value);
    return key === "sides" ? (value as number[][]).map((side) => side.map(move)) : value;
  });
  return { ...plan, ...(JSON.parse(moved) as Pick<Plan, "operations" | "faults">) };
}

/** Cuts do not name who is never there. */
export function withoutAbsent(plan: Plan): Plan | undefined {
  const named = placesNamedIn(plan);
  const isThere = (place: number): boolean => place < plan.nodes || named.has(place);
  const all = plan.faults.flatMap((fault) => (fault.kind === "cut" ? fault.sides.flat() : []));
  if (all.every(isThere)) return undefined;
  return {
    ...plan,
    faults: plan.faults.map((fault) => {
      if (fault.kind !== "cut") return fault;
      const sides = fault.sides.map((side) => side.filter(isThere));
      return { ...fault, sides: sides.filter((side) => side.length > 0) };
    }),
  };
}
