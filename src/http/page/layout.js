/*
 * Where the nodes stand in the picture: this node in the midst of those it hears, and those it has lost on the other side of a
 * rift. Beside each other where there is room, else below.
 */

/**
 * @typedef {{ x: number, y: number }} Point
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 *
 * Nodes, and what there is room for: their names below them, and what they hold below that.
 * @typedef {{ points: Point[], radius: number, isLabelled: boolean, isCounted: boolean }} Zone
 *
 * @typedef {object} Layout
 * @property {Point} self
 * @property {Zone} heard
 * @property {Zone} lost
 * @property {{ from: Point, to: Point } | undefined} rift
 * @property {Point} heardTitle
 * @property {Point} lostTitle
 */

/** More would be dots that nobody can tell apart: they are counted. */
export const MOST_DRAWN = 48;
const WIDE = 640;
const RADIUS = { least: 7, most: 30 };
/** Of a name, and of the three lines below a node. */
const LABEL_WIDTH = 120;
const LABEL_HEIGHT = 56;
/** For the titles. */
const ABOVE = 34;
const BELOW = 10;
/** Of the curve on which nodes stand: points that are looked at. */
const STEPS = 720;

/**
 * @param {number} heard others than this node
 * @param {number} lost
 * @param {number} width
 * @param {number} height
 * @returns {Layout}
 */
export function layout(heard, lost, width, height) {
  const isWide = width >= WIDE;
  // The lost are given room by their number, and never so little that nobody sees them.
  const share = lost === 0 ? 1 : Math.min(0.66, Math.max(0.5, (heard + 1) / (heard + 1 + lost)));
  const near = isWide
    ? { x: 0, y: 0, width: width * share, height }
    : { x: 0, y: 0, width, height: height * share };
  const far = isWide
    ? { x: near.width, y: 0, width: width - near.width, height }
    : { x: 0, y: near.height, width, height: height - near.height };
  const at = isWide ? near.width : near.height;
  const rift = isWide
    ? { from: { x: at, y: 8 }, to: { x: at, y: height - 8 } }
    : { from: { x: 8, y: at }, to: { x: width - 8, y: at } };
  return {
    ...ring(near, heard),
    lost: grid(far, lost),
    rift: lost === 0 ? undefined : rift,
    heardTitle: { x: near.x + 16, y: near.y + 22 },
    lostTitle: { x: far.x + 16, y: far.y + 22 },
  };
}

/**
 * Around the middle, as far apart from each other as there is room.
 *
 * @param {Box} box
 * @param {number} count
 * @returns {{ self: Point, heard: Zone }}
 */
function ring(box, count) {
  const self = { x: box.x + box.width / 2, y: box.y + ABOVE + (box.height - ABOVE - LABEL_HEIGHT) / 2 };
  // Half the length of the curve is about this, whatever its form.
  const space = (box.width + box.height) / Math.max(1, count);
  const radius = Math.min(RADIUS.most, Math.max(RADIUS.least, space * 0.28));
  const across = Math.min(330, Math.max(20, box.width / 2 - Math.max(radius + 12, LABEL_WIDTH / 2)));
  const down = Math.max(20, (box.height - ABOVE - LABEL_HEIGHT) / 2 - radius);
  // Nobody right above or below the middle, where the names would stand in each other's way.
  const aside = count === 2 ? 0.1 : count % 4 === 0 ? 0.5 : 0;
  const curve = evenly(Math.max(1, count), aside, (angle) => ({
    x: self.x + across * towardsEdge(Math.cos(angle)),
    y: self.y + down * towardsEdge(Math.sin(angle)),
  }));
  const isLabelled = space >= LABEL_WIDTH * 0.75;
  const isCounted = space >= LABEL_WIDTH * 1.45;
  return { self, heard: { points: curve.slice(0, count), radius, isLabelled, isCounted } };
}

/**
 * Side by side: of those that are lost this node cannot know who hears whom.
 *
 * @param {Box} box
 * @param {number} count
 * @returns {Zone}
 */
function grid(box, count) {
  const width = box.width - 24;
  const height = box.height - ABOVE - BELOW;
  let columns = 1;
  let best = 0;
  for (let tried = 1; tried <= count; tried += 1) {
    const fits = Math.min(width / tried / 1.2, height / Math.ceil(count / tried));
    if (fits <= best) continue;
    best = fits;
    columns = tried;
  }
  const rows = Math.max(1, Math.ceil(count / columns));
  const cell = { width: width / columns, height: height / rows };
  const isLabelled = cell.width >= LABEL_WIDTH * 0.8 && cell.height >= LABEL_HEIGHT + 4 * RADIUS.least;
  const room = Math.min(cell.width, isLabelled ? cell.height - LABEL_HEIGHT : cell.height);
  const radius = Math.min(RADIUS.most, Math.max(RADIUS.least, room * 0.4));
  const points = Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    // The last row has its middle where the others have theirs.
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const x = box.x + box.width / 2 + ((index % columns) - (inRow - 1) / 2) * cell.width;
    const y = box.y + ABOVE + (row + 0.5) * cell.height - (isLabelled ? LABEL_HEIGHT / 2 : 0);
    return { x, y };
  });
  return { points, radius, isLabelled, isCounted: isLabelled };
}

/**
 * Points of a closed curve with the same way between them: by its angles alone they would crowd where it bends.
 *
 * @param {number} count
 * @param {number} aside of the way between two
 * @param {(angle: number) => Point} curve
 * @returns {Point[]}
 */
function evenly(count, aside, curve) {
  const points = Array.from({ length: STEPS + 1 }, (_, step) =>
    curve(Math.PI + (2 * Math.PI * step) / STEPS),
  );
  const ways = [0];
  for (const [step, { x, y }] of points.slice(1).entries()) {
    const before = points[step] ?? { x, y };
    ways.push((ways[step] ?? 0) + Math.hypot(x - before.x, y - before.y));
  }
  const whole = ways[STEPS] ?? 0;
  return Array.from({ length: count }, (_, index) => {
    const way = (whole * (index + aside)) / count;
    return points[ways.findIndex((each) => each >= way)] ?? curve(Math.PI);
  });
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
