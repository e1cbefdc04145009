import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HybridClock } from "../../../src/kernel/hlc.ts";
import { makeIncarnation, makeNodeId, type NodeId } from "../../../src/kernel/ids.ts";
import { FrameWriter, readSegments, Seal, type Segment, STATE, USER } from "../../../src/node/frame.ts";
import { type DropCause, FrameGate } from "../../../src/node/frame-gate.ts";
import { Subjects } from "../../../src/node/subjects.ts";

const stamp = new HybridClock().next({ monotonicMs: 0, wallMs: 1_700_000_000_000 });
const self = node("me");
const other = node("other.node");

function node(name: string, chance = 1): NodeId {
  return makeNodeId(name, makeIncarnation(1_700_000_000_000, [chance, 2]));
}

function segment(text: string, stream = USER): Segment {
  return { stream, messages: [Buffer.from(text)], bytes: Buffer.byteLength(text) };
}

/** A sender, and the bytes of its frames. */
class Sender {
  readonly subjects: Subjects;
  readonly #writer: FrameWriter;
  sequence = 0;
  epoch = 1;

  constructor(id = other, secrets: readonly string[] = [], cluster = "c") {
    this.subjects = new Subjects(cluster, id);
    const seal = secrets.length === 0 ? undefined : new Seal(secrets);
    this.#writer = new FrameWriter(this.subjects.clusterHash, id, seal);
  }

  frame(subject = this.subjects.node(self), text = "hello"): { subject: string; data: Uint8Array } {
    return this.frameOf([segment(text)], subject);
  }

  frameOf(segments: readonly Segment[], subject = this.subjects.node(self)) {
    this.sequence += 1;
    const envelope = { epoch: this.epoch, sequence: this.sequence, stamp };
    return { subject, data: this.#writer.write(subject, envelope, segments) };
  }
}

/** The gate of `me`, and what it dropped. */
function makeGate(
  options: { secrets?: readonly string[]; up?: ReadonlySet<NodeId>; maxSenders?: number } = {},
) {
  const drops: DropCause[] = [];
  const gate = new FrameGate({
    self,
    subjects: new Subjects("c", self),
    seal: options.secrets === undefined ? undefined : new Seal(options.secrets),
    maxFrameBytes: 10_000,
    maxSenders: options.maxSenders ?? 100,
    accepts: (destination) =>
      destination.kind === "all" || (destination.kind === "node" && destination.node === self),
    isUp: (id) => options.up?.has(id) === true,
    onDrop: (cause) => drops.push(cause),
  });
  const admit = ({ subject, data }: { subject: string; data: Uint8Array }) => gate.admit(subject, data);
  return { gate, drops, admit };
}

describe("a sound frame", () => {
  test("passes, and arrives as it was written", () => {
    const { admit, drops } = makeGate();
    const sender = new Sender();
    const subject = sender.subjects.all;
    const admitted = admit(sender.frame(subject, "over all"));
    expect(admitted).toMatchObject({ from: other, epoch: 1, stamp, destination: { kind: "all" } });
    expect(
      admitted?.segments.map(({ family, content }) => [family, Buffer.from(content).toString()]),
    ).toEqual([[USER.family, "over all"]]);
    expect(drops).toEqual([]);
  });

  test("is signed over its subject too: on another it is worth nothing", () => {
    const { admit, drops } = makeGate({ secrets: ["first secret"] });
    const sender = new Sender(other, ["first secret"]);
    const { data } = sender.frame(sender.subjects.all);
    expect(admit({ subject: sender.subjects.node(self), data })).toBeUndefined();
    expect(admit({ subject: sender.subjects.all, data })).toBeDefined();
    expect(drops).toEqual(["mac"]);
  });

  test("passes with any secret that is accepted, whichever signs", () => {
    const { admit, drops } = makeGate({ secrets: ["new secret", "old secret"] });
    expect(admit(new Sender(node("a"), ["old secret", "new secret"]).frame())).toBeDefined();
    expect(admit(new Sender(node("b"), ["new secret"]).frame())).toBeDefined();
    expect(admit(new Sender(node("c"), ["other secret", "new secret"]).frame())).toBeUndefined();
    expect(admit(new Sender(node("d")).frame())).toBeUndefined();
    expect(drops).toEqual(["mac", "mac"]);
    expect(makeGate().admit(new Sender(other, ["new secret"]).frame())).toBeUndefined();
  });
});

describe("what is not sound is dropped by its cause", () => {
  test("a copy, an overtaken frame, one of an earlier connection", () => {
    const { admit, drops } = makeGate();
    const sender = new Sender();
    const first = sender.frame();
    const second = sender.frame();
    expect(admit(second)).toBeDefined();
    expect(admit(second)).toBeUndefined();
    expect(admit(first)).toBeUndefined();
    const late = sender.frame();
    sender.epoch = 2;
    expect(admit(sender.frame())).toBeDefined();
    expect(admit(late)).toBeUndefined();
    expect(drops).toEqual(["replayed", "replayed", "stale"]);
  });

  test("state goes ahead of what users said before a drop, and neither passes twice", () => {
    const { admit, drops } = makeGate();
    const sender = new Sender();
    const said = sender.frame();
    const mixed = sender.frameOf([segment("s", STATE), segment("u")]);
    const state = sender.frameOf([segment("s", STATE)]);
    expect(admit(state)).toBeDefined();
    expect(admit(said)).toBeDefined();
    expect(admit(mixed)).toBeDefined();
    for (const copy of [state, said, mixed]) expect(admit(copy)).toBeUndefined();
    expect(drops).toEqual(["replayed", "replayed", "replayed"]);
  });

  test("another cluster, another layout, another addressee, another sender, too much", () => {
    const { admit, drops } = makeGate();
    const sender = new Sender();
    const sound = sender.frame();
    const foreign = new Sender(other, [], "another cluster").frame();
    admit({ subject: sound.subject, data: foreign.data });
    admit({ subject: foreign.subject, data: foreign.data });
    admit({ subject: sender.subjects.node(node("me", 7)), data: sound.data });
    admit({ subject: sender.subjects.scope("not open"), data: sound.data });
    admit({ subject: new Subjects("c", node("mallory")).node(self), data: sound.data });
    admit({ subject: sound.subject, data: Buffer.concat([sound.data, Buffer.alloc(20_000)]) });
    admit({
      subject: sound.subject,
      data: Uint8Array.from(sound.data, (byte, index) => (index === 2 ? 9 : byte)),
    });
    admit({ subject: sound.subject, data: sound.data.subarray(0, -1) });
    admit({ subject: sound.subject, data: sound.data.subarray(0, 20) });
    admit({ subject: "somewhere.else", data: sound.data });
    expect(drops).toEqual([
      ...["cluster", "misdirected", "misdirected", "misdirected", "forged", "oversized", "version"],
      ...["malformed", "malformed", "misdirected"],
    ]);
    expect(admit(sound)).toBeDefined();
  });

  test("the node's own echo is no fault", () => {
    const { admit, drops } = makeGate();
    const me = new Sender(self);
    expect(admit(me.frame(me.subjects.all))).toBeUndefined();
    expect(drops).toEqual([]);
  });

  test("whatever the bytes, it does not throw; and no forged or altered frame passes", () => {
    const secrets = ["some secret"];
    const sender = new Sender(other, secrets);
    const subject = sender.subjects.all;
    const { data } = sender.frame(subject);
    const alteration = fc.record({ at: fc.nat(data.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(
        fc.array(alteration, { minLength: 1, maxLength: 4 }),
        fc.nat(data.length),
        (alterations, cut) => {
          const altered = new Uint8Array(data);
          for (const { at, byte } of alterations) altered[at] = byte;
          const bytes = altered.subarray(0, cut === 0 ? data.length : cut);
          if (Buffer.compare(bytes, data) === 0) return;
          expect(makeGate({ secrets }).admit({ subject, data: bytes })).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, anything) => {
        const { admit } = makeGate();
        admit({ subject, data: bytes });
        admit({ subject: anything, data: bytes });
        // Behind a header that is right.
        admit({ subject, data: Buffer.concat([data.subarray(0, 38), bytes]) });
        readSegments(bytes);
      }),
      { numRuns: 500 },
    );
  });
});

describe("memory of senders", () => {
  test("a node that is up is never forgotten, however many strangers come", () => {
    const up = new Set([other]);
    const { admit, drops, gate } = makeGate({ up, maxSenders: 10 });
    const sender = new Sender();
    const recorded = sender.frame();
    expect(admit(recorded)).toBeDefined();
    const strangers = Array.from({ length: 200 }, (_, index) => new Sender(node(`stranger-${index}`)));
    for (const stranger of strangers) expect(admit(stranger.frame())).toBeDefined();
    expect(gate.size).toBeLessThanOrEqual(10);
    expect(admit(recorded)).toBeUndefined();
    expect(drops).toEqual(["replayed"]);
  });

  test("the strangers heard last are remembered", () => {
    const { admit, gate } = makeGate({ maxSenders: 3 });
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => new Sender(node(name))) as [
      Sender,
      Sender,
      Sender,
      Sender,
    ];
    const frames = [a, b, c].map((sender) => sender.frame());
    for (const frame of frames) admit(frame);
    admit(a.frame());
    admit(d.frame());
    expect(gate.size).toBe(3);
    const [ofA, ofB, ofC] = frames.map((frame) => () => admit(frame) !== undefined);
    expect([ofA?.(), ofC?.(), ofB?.()]).toEqual([false, false, true]);
  });

  test("when all are up there is room for all of them", () => {
    const senders = Array.from({ length: 30 }, (_, index) => node(`n${index}`));
    const { admit, gate } = makeGate({ maxSenders: 10, up: new Set(senders) });
    for (const id of senders) admit(new Sender(id).frame());
    expect(gate.size).toBe(30);
  });
});

test("a state segment is told from a user's", () => {
  const sender = new Sender();
  const subjects = sender.subjects;
  const writer = new FrameWriter(subjects.clusterHash, other, undefined);
  const segments: Segment[] = [
    { stream: STATE, messages: [Buffer.from("ab"), Buffer.from("c")], bytes: 3 },
    { stream: { family: 2, prelude: Buffer.from("pre") }, messages: [Buffer.from("xyz")], bytes: 12 },
  ];
  const data = writer.write(subjects.all, { epoch: 1, sequence: 2 ** 40, stamp }, segments);
  const admitted = makeGate().admit({ subject: subjects.all, data });
  expect(
    admitted?.segments.map((each) => [each.family, Buffer.from(each.content).toString("latin1")]),
  ).toEqual([
    [0, "abc"],
    [2, "\0\x03pre\0\0\0\x03xyz"],
  ]);
});
