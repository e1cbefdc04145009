import { describe, expect, test } from "vitest";
import { makeIncarnation, makeNodeId, type NodeId } from "../../../src/kernel/ids.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import { Deadlines } from "../../../src/node/deadlines.ts";
import { EarlyMessages } from "../../../src/node/early-messages.ts";
import { USER_FAMILY } from "../../../src/node/frame.ts";

const MIB = 1024 * 1024;

function nodeOf(index: number): NodeId {
  return makeNodeId(`stranger-${index}`, makeIncarnation(1_700_000_000_000, [1, index]));
}

class Keeping {
  readonly clock = new VirtualClock();
  readonly deadlines = new Deadlines(this.clock);
  readonly early: EarlyMessages;
  dropped = 0;

  constructor() {
    this.early = new EarlyMessages({
      deadlines: this.deadlines,
      onDropped: (segments) => {
        this.dropped += segments;
      },
    });
  }

  keep(node: NodeId, bytes: number): void {
    this.early.keep(node, { family: USER_FAMILY, content: new Uint8Array(bytes) });
  }
}

describe("messages of nodes that are not up yet", () => {
  test("they are handed out in order, once, and are void after their time", () => {
    const { clock, early, deadlines } = new Keeping();
    const [node, silent] = [nodeOf(1), nodeOf(2)];
    for (const byte of [1, 2, 3]) early.keep(node, { family: USER_FAMILY, content: new Uint8Array([byte]) });
    early.keep(silent, { family: USER_FAMILY, content: new Uint8Array([4]) });
    expect(early.take(node).map(({ content }) => content[0])).toEqual([1, 2, 3]);
    expect(early.take(node)).toEqual([]);
    clock.advanceBy(2_001);
    expect(early.take(silent)).toEqual([]);
    expect(deadlines.size).toBe(0);
  });

  test.each([0, 1, 1_000])("segments of %i bytes are bounded by the memory that they take", (bytes) => {
    const keeping = new Keeping();
    const offered = 200_000;
    for (let index = 0; index < offered; index += 1) keeping.keep(nodeOf(index % 1_000), bytes);
    let kept = 0;
    for (let index = 0; index < 1_000; index += 1) kept += keeping.early.take(nodeOf(index)).length;
    expect(kept + keeping.dropped).toBe(offered);
    // An array of bytes takes some two hundred besides the bytes.
    expect(kept * (bytes + 200)).toBeLessThan(16 * MIB);
    expect(kept).toBeGreaterThan(5_000);
    // What was handed out makes room.
    keeping.keep(nodeOf(1), bytes);
    expect(keeping.early.take(nodeOf(1)).length).toBe(1);
  });
});
