import type { Reply } from "./protocol.ts";
import type { Views } from "./stage.ts";

/* What is missing from a claim about the cluster, in words, for each node that does not see it so. */

export function only(views: Views, names: readonly string[]): Views {
  return new Map([...views].filter(([name]) => names.includes(name)));
}

/** Each sees the expected nodes up, and no other. */
export function nodesMissing(views: Views, expected: readonly string[]): string[] {
  const wanted = [...expected].sort().join(" up, ");
  return [...views].flatMap(([by, view]) => {
    const seen = Object.entries(view.nodes).map(([node, state]) => `${node} ${state}`);
    const shown = seen.sort().join(", ");
    return shown === `${wanted} up` ? [] : [`${by} to see ${wanted} up; it sees ${shown}`];
  });
}

/** @param node undefined: nobody */
export function holderMissing(
  views: Views,
  name: string,
  node: string | undefined,
  orders?: number,
): string[] {
  return [...views].flatMap(([by, view]) => {
    const holder = view.names[name];
    if (holder?.node === node && (orders === undefined || holder?.orders === orders)) return [];
    return [
      `${by} to see ${name} on ${node ?? "no node"}${orders === undefined ? "" : ` with ${orders} orders`}; it sees ${JSON.stringify(holder)}`,
    ];
  });
}

export function membersMissing(views: Views, nodes: readonly string[]): string[] {
  const wanted = [...nodes].sort().join(", ");
  return [...views].flatMap(([by, view]) => {
    const { workers = [] } = view.groups;
    const members = workers.join(", ");
    return members === wanted ? [] : [`${by} to see members on ${wanted}; it sees ${members}`];
  });
}

/** Each of the nodes saw it, and saw it once. */
export function exactlyOnce<S>(
  seen: readonly { readonly by: string; readonly sighting: S }[],
  what: string,
  nodes: readonly string[],
  matches: (sighting: S) => boolean,
): string[] {
  return nodes.flatMap((node) => {
    const times = seen.filter(({ by, sighting }) => by === node && matches(sighting)).length;
    return times === 1 ? [] : [`${node} to see ${what}, once; it did ${times} times`];
  });
}

export function contenders(replies: readonly Reply[]): string {
  return replies.map(({ by, orders }) => `${by}'s with ${orders}`).join(" against ");
}

export function since(fromMs: number, atMs: number, what: string): string {
  return `${Math.round(atMs - fromMs)} ms after the ${what}`;
}
