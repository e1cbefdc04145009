/*
 * One visitor may be there more than once: in two tabs, or at the node that they have left and at the one where they are now. The
 * server numbers what they say, each number above all that its node knew of. Metas come in no order that tells which is the later.
 */

/** @param metas of one visitor, at least one */
export function latest(metas) {
  return metas.reduce((chosen, meta) => (isLater(meta, chosen) ? meta : chosen));
}

/** Of two that were said at the same moment, on two nodes, all pages must choose the same. */
function isLater(left, right) {
  if (left.revision !== right.revision) return left.revision > right.revision;
  return left.phx_ref > right.phx_ref;
}
