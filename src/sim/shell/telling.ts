import type { FrameSeen } from "../../bus/memory.ts";
import { nameOfNode, nodeOfPid, type Pid } from "../../kernel/ids.ts";
import { MalformedError } from "../../kernel/malformed.ts";
import {
  type RawSegment,
  REPEATED_FAMILY,
  RepeatedReader,
  readFrame,
  readSegments,
  STATE_FAMILY,
} from "../../node/frame.ts";
import { preludes, userMessages } from "../../node/message-wire.ts";
import { readPayload } from "../../node/payload.ts";
import { clusterMessages } from "../../node/protocol.ts";
import { type Tell, tellMessages } from "../machine/telling.ts";
import type { Plan } from "../plan.ts";
import { isSaid } from "./mail.ts";

const PID = /^[^@\s]+@[0-9a-z]{17}\/\d+$/;

/** Makes of what whole nodes do, and of the frames between them, lines for a reader. */
export class Teller {
  readonly #tell: Tell;
  readonly #nowMs: () => number;
  /** What a line may be about, besides processes. */
  readonly #known: ReadonlySet<string>;

  constructor(plan: Plan, tell: Tell, nowMs: () => number) {
    this.#tell = tell;
    this.#nowMs = nowMs;
    this.#known = new Set(
      plan.operations.flatMap((each) => [
        ...("name" in each ? [each.name] : []),
        ...("group" in each ? [each.group] : []),
        ...("topic" in each ? [each.topic] : []),
      ]),
    );
  }

  /**
   * @param who a node's name, a pid, or `world`
   * @param kind as of a `TraceLine`
   */
  line(who: string, what: string, kind: string): void {
    const isProcess = PID.test(who);
    const about = what.split(/[\s:,;"'{}[\]()]+/).filter((word) => this.#known.has(word) || PID.test(word));
    this.#tell({
      atMs: this.#nowMs(),
      place: placeOf(isProcess ? nameOfNode(nodeOfPid(who as Pid)) : who),
      kind,
      text: isProcess ? `${who} ${what}` : what,
      about: isProcess ? [who, ...about] : about,
    });
  }

  frame({ from, to, isLost, data }: FrameSeen): void {
    const common = {
      atMs: this.#nowMs(),
      place: placeOf(to),
      from: placeOf(from),
      kind: isLost ? "lost" : "receive",
    } as const;
    const line = (text: string, about: readonly string[]): void => this.#tell({ ...common, text, about });
    const frame = readFrame(data);
    const segments = typeof frame === "string" ? undefined : readSegments(frame.body);
    for (const segment of segments ?? []) {
      if (segment.family === STATE_FAMILY) tellMessages(clusterMessages.decodeAll(segment.content), line);
      else tellTalk(segment, line);
    }
  }
}

/** What processes say to each other: the programs of a run give each thing they say a number. */
function tellTalk(segment: RawSegment, line: (text: string, about: readonly string[]) => void): void {
  if (segment.family !== REPEATED_FAMILY) {
    for (const message of userMessages.decodeAll(segment.content)) {
      const { payload = undefined } = "payload" in message ? message : {};
      tellSaid(message.kind, payload, line);
    }
    return;
  }
  const repeated = RepeatedReader.over(segment.content);
  const [prelude] = repeated === undefined ? [] : preludes.decodeAll(repeated.prelude);
  while (prelude !== undefined && repeated?.next() === true) {
    const what = prelude.kind === "group" ? `publish ${prelude.group}` : prelude.kind;
    tellSaid(what, segment.content.subarray(repeated.start, repeated.end), line);
  }
}

function tellSaid(
  what: string,
  payload: Uint8Array | undefined,
  line: (text: string, about: readonly string[]) => void,
): void {
  const said = payload === undefined ? undefined : readSaid(payload);
  if (!isSaid(said)) line(what, []);
  else line(`${what}: ${said.number} of ${said.from}`, [said.from]);
}

/** A reader is shown what can be read. Whether it should have been readable is for the rules. */
function readSaid(payload: Uint8Array): unknown {
  try {
    return readPayload(payload, 0, payload.length);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** -1: of no node. */
function placeOf(name: string): number {
  const place = /^n(\d+)$/.exec(name)?.[1];
  return place === undefined ? -1 : Number(place);
}
