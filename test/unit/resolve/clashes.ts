import { makeIncarnation, makeNodeId, makePid } from "../../../src/kernel/ids.ts";
import type { Clash, Contender } from "../../../src/resolve/types.ts";

/** A clash of contenders on nodes n1, n2, …, the first being the oldest, with the metadata given. */
export function clashOf(metas: readonly unknown[], name = "cart"): Clash {
  return {
    name,
    scope: "default",
    contenders: metas.map((meta, index) => contenderOf(name, index + 1, meta)),
  };
}

function contenderOf(name: string, number: number, meta: unknown): Contender {
  const node = makeNodeId(`n${number}`, makeIncarnation(1_700_000_000_000 + number, [number, number]));
  const registeredAt = `0lzs3a0${String(number).padStart(2, "0")}0000`;
  return { name, pid: makePid(node, 1), meta, node, revision: `${node}:${number}`, registeredAt };
}
