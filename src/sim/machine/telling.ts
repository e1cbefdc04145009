import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { ClusterMessage } from "../../node/protocol.ts";
import type { LaneState } from "../lanes.ts";
import type { Fault } from "../plan.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

/** One thing that happened, for a reader. */
export interface TraceLine {
  readonly atMs: number;
  /** Where. -1: everywhere. */
  readonly place: number;
  /** `receive`, `lost`, `input`, `fault`, `ended`, `seen` by programs, or the kind of an effect. */
  readonly kind: string;
  /** In a few words. Nodes and processes stand in it with their whole ids. */
  readonly text: string;
  /** Names, groups and processes that it is about. */
  readonly about: readonly string[];
  /** Where a message came from. */
  readonly from?: number | undefined;
  /** How its lane is from here on, if that is not to be seen from the plan. */
  readonly lane?: LaneState | undefined;
}

export type Tell = (line: TraceLine) => void;

/** A line for each thing that a step was about, and one for each that it brought about. */
export function tellStep(
  world: World,
  tell: Tell,
  node: SimNode,
  input: NodeInput,
  effects: readonly NodeEffect[],
): void {
  const common = { atMs: world.nowMs, place: node.place };
  if (input.kind === "frame") {
    const from = world.nodeOf(input.from)?.place;
    tellMessages(input.messages, (text, about) => tell({ ...common, kind: "receive", text, about, from }));
  } else if (!QUIET_INPUTS.has(input.kind)) {
    tell({ ...common, kind: "input", ...words(input.kind, input) });
  }
  for (const effect of effects) {
    if (QUIET_EFFECTS.has(effect.kind)) continue;
    tell({ ...common, kind: effect.kind, ...wordsOfEffect(node, effect) });
  }
}

/** What of a frame is worth a line. */
export function tellMessages(
  messages: readonly ClusterMessage[],
  line: (text: string, about: readonly string[]) => void,
): void {
  for (const message of messages) {
    if (TALK.has(message.kind)) continue;
    const { text, about } = words(message.kind, message);
    line(text, about);
  }
}

/** What goes wrong, and where. */
export function wordsOfFault(fault: Fault): string {
  switch (fault.kind) {
    case "cut":
      return `cut ${fault.sides.map((side) => side.join(",")).join(" | ")}, for ${fault.forMs} ms`;
    case "deaf":
    case "clog":
      return `${fault.kind} n${fault.from} → n${fault.to}, for ${fault.forMs} ms`;
    default:
      return "forMs" in fault ? `${fault.kind}, for ${fault.forMs} ms` : fault.kind;
  }
}

/** What nodes say all the time. */
const TALK: ReadonlySet<string> = new Set(["beat", "pulse", "watchCheck"]);

const QUIET_INPUTS: ReadonlySet<string> = new Set(["tick", "flush", "watching", "spawned"]);

/** A message shows where it arrives, or where it is lost. */
const QUIET_EFFECTS: ReadonlySet<string> = new Set(["probe", "log", "wrote", "send", "broadcast"]);

interface Words {
  readonly text: string;
  readonly about: readonly string[];
}

function wordsOfEffect(node: SimNode, effect: NodeEffect): Words {
  if (effect.kind === "answer") {
    const what = node.asked.get(effect.request)?.what;
    const { answer } = effect;
    const how = answer.kind === "error" ? codeOf(answer.error) : answer.kind;
    const asked = words(what?.kind ?? "request", what);
    return { text: `${asked.text}: ${how}`, about: asked.about };
  }
  if (effect.kind === "nameEvent" || effect.kind === "groupEvent" || effect.kind === "nodeEvent") {
    const { event } = effect;
    return words(`sees ${event.kind}`, event, "reason" in event ? event.reason.kind : "");
  }
  if (effect.kind === "down") return words(`down: ${effect.down.reason.kind}`, effect.down);
  if (effect.kind === "resolve") return words("resolver runs", effect.details);
  return words(effect.kind, effect, "reason" in effect ? effect.reason.kind : "");
}

/** More would not fit beside the lanes. */
const MOST_WORDS = 5;

function words(kind: string, subject: unknown, why = ""): Words {
  const about = new Set<string>();
  collect(subject, about);
  const shown = [...about].slice(0, MOST_WORDS);
  const more = about.size > shown.length ? ["…"] : [];
  return {
    text: [kind, ...shown, ...more, ...(why === "" ? [] : [`(${why})`])].join(" "),
    about: [...about],
  };
}

const TELLING_FIELDS = ["name", "group", "pid", "id", "node", "holder", "winner", "about"];

/** Whatever in it names something. */
function collect(value: unknown, into: Set<string>): void {
  if (Array.isArray(value)) {
    for (const each of value) collect(each, into);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [field, each] of Object.entries(value)) {
    // A node is named by its id, which begins with its name.
    if (field === "name" && "id" in value && typeof value.id === "string") continue;
    if (typeof each === "string" && TELLING_FIELDS.includes(field)) into.add(each);
    else if (field === "pids" && Array.isArray(each)) for (const pid of each) into.add(String(pid));
    else collect(each, into);
  }
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : error.name;
}
