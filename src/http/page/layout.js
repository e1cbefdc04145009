/*
 * Where the nodes stand in the picture: this node in the midst of those it hears, and those it has lost on the other side of a
 * rift. Beside each other where there is room, else below.
 */

/**
 * @typedef {{ x: number, y: number }} Point
 * @typedef {object} Layout
 * @property {number} radius of a node
 * @property {boolean} isLabelled whether there is room for names
 * @property {boolean} isCounted whether there is room for more below the names of those that are heard
 * @property {Point} self
 * @property {Point[]} heard
 * @property {Point[]} lost
 * @property {{ from: Point, to: Point } | undefined} rift
 * @property {Point} heardTitle
 * @property {Point} lostTitle
 */

/** More would be dots that nobody can tell apart: they are counted. */
export const MOST_DRAWN = 48;
const WIDE = 640;
/** For the titles above, and the names below the lowest. */
const ABOVE = 34;
const BELOW = 56;

/**
 * @param {number} heard others than this node
 * @param {number} lost
 * @param {number} width
 * @param {number} height
 * @returns {Layout}
 */
export function layout(heard, lost, width, height) {
  const isWide = width >= WIDE;
  const most = Math.max(heard, lost);
  const radius = most <= 6 ? 30 : most <= 12 ? 24 : most <= 24 ? 15 : 8;
  const isLabelled = most <= (isWide ? 14 : 8);
  // The lost are given room by their number, and never so little that nobody sees them.
  const share = lost === 0 ? 1 : Math.min(0.66, Math.max(0.5, (heard + 1) / (heard + 1 + lost)));
  const left = {
    x: 0,
    y: 0,
    width: isWide ? width * share : width,
    height: isWide ? height : height * share,
  };
  const right = isWide
    ? { x: left.width, y: 0, width: width - left.width, height }
    : { x: 0, y: left.height, width, height: height - left.height };
  const margin = radius + (isLabelled ? 46 : 10);
  const around = ring(left, margin, heard);
  const at = isWide ? left.width : left.height;
  return {
    radius,
    isLabelled,
    isCounted: isLabelled && (isWide || heard <= 2),
    self: around.middle,
    heard: around.points,
    lost: lost === 1 ? [ring(right, margin, 1).middle] : ring(right, margin, lost).points,
    rift:
      lost === 0
        ? undefined
        : isWide
          ? { from: { x: at, y: 8 }, to: { x: at, y: height - 8 } }
          : { from: { x: 8, y: at }, to: { x: width - 8, y: at } },
    heardTitle: { x: left.x + 16, y: left.y + 22 },
    lostTitle: { x: right.x + 16, y: right.y + 22 },
  };
}

/**
 * @param {{ x: number, y: number, width: number, height: number }} box
 * @param {number} margin
 * @param {number} count
 */
function ring(box, margin, count) {
  const middle = { x: box.x + box.width / 2, y: box.y + ABOVE + (box.height - ABOVE - BELOW) / 2 };
  const across = Math.min(Math.max(20, box.width / 2 - margin), 330);
  const down = Math.max(20, (box.height - ABOVE - BELOW) / 2 - Math.min(margin, 30));
  // Nobody right above or below the middle, where the names would stand in each other's way.
  const aside = count === 2 ? 0.1 : count % 4 === 0 ? 0.5 : 0;
  const points = Array.from({ length: count }, (_, index) => {
    const angle = Math.PI + (2 * Math.PI * (index + aside)) / count;
    return {
      x: middle.x + across * towardsEdge(Math.cos(angle)),
      y: middle.y + down * towardsEdge(Math.sin(angle)),
    };
  });
  return { middle, points };
}

/**
 * Makes an ellipse fill its box.
 *
 * @param {number} part
 */
function towardsEdge(part) {
  return Math.sign(part) * Math.abs(part) ** 0.65;
}

/**
 * A line that looks torn.
 *
 * @param {{ from: Point, to: Point }} rift
 */
export function torn({ from, to }) {
  const steps = Math.max(4, Math.round(Math.hypot(to.x - from.x, to.y - from.y) / 18));
  const points = Array.from({ length: steps + 1 }, (_, index) => {
    const aside = index === 0 || index === steps ? 0 : index % 2 === 0 ? 7 : -7;
    const isUpright = from.x === to.x;
    const x = from.x + ((to.x - from.x) * index) / steps + (isUpright ? aside : 0);
    const y = from.y + ((to.y - from.y) * index) / steps + (isUpright ? 0 : aside);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return `M${points.join("L")}`;
}
