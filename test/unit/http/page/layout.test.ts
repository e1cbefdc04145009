import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { layout, MOST_DRAWN, torn, type Zone } from "../../../../src/http/page/layout.js";

const sizes = fc.record({
  heard: fc.nat(MOST_DRAWN),
  lost: fc.nat(MOST_DRAWN),
  width: fc.integer({ min: 330, max: 1_400 }),
});
const HEIGHT = 384;

describe("the picture", () => {
  test("has a place for every node, each inside of it", () => {
    fc.assert(
      fc.property(sizes, ({ heard, lost, width }) => {
        const places = layout(heard, lost, width, HEIGHT);
        expect(places.heard.points).toHaveLength(heard);
        expect(places.lost.points).toHaveLength(lost);
        const inside = ({ points, radius }: Zone) =>
          points.every(
            ({ x, y }) => x >= radius && x <= width - radius && y >= radius && y <= HEIGHT - radius,
          );
        expect(inside(places.heard) && inside(places.lost)).toBe(true);
      }),
    );
  });

  test("has those that are heard on one side of a rift, and the others on the other", () => {
    fc.assert(
      fc.property(sizes, ({ heard, lost, width }) => {
        const { heard: near, lost: far, rift, self } = layout(heard, lost, width, HEIGHT);
        if (rift === undefined) {
          expect(lost).toBe(0);
          return;
        }
        const side = rift.from.x === rift.to.x ? "x" : "y";
        for (const point of [self, ...near.points]) expect(point[side]).toBeLessThan(rift.from[side]);
        for (const point of far.points) expect(point[side]).toBeGreaterThan(rift.from[side]);
      }),
    );
  });

  test("has the rift beside them on a desktop, and between them on a phone", () => {
    const desktop = layout(3, 2, 900, HEIGHT).rift;
    expect(desktop?.from.x).toBe(desktop?.to.x);
    const phone = layout(3, 2, 358, HEIGHT).rift;
    expect(phone?.from.y).toBe(phone?.to.y);
    expect(phone && torn(phone)).toMatch(/^M8\.0,(\d+\.\d)L.*L350\.0,\1$/);
  });

  test("leaves names out where there is no room for them", () => {
    expect(layout(4, 1, 900, HEIGHT).heard).toMatchObject({ isLabelled: true, isCounted: true });
    expect(layout(40, 30, 900, HEIGHT)).toMatchObject({
      heard: { isLabelled: false, isCounted: false },
      lost: { isLabelled: false, isCounted: false },
    });
  });
});
