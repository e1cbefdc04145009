import type { GroupEvent, Member, NameEvent, NodeEvent, NodeView, Registration } from "../index.ts";
import { shownText, shownValue } from "./shown.ts";

/** What happened, in lines for people: `+` came, `-` went, `~` changed, `=` is there. */
export function wordsOfName(event: NameEvent): readonly string[] {
  switch (event.kind) {
    case "state":
    case "resync":
      return [
        ...resyncLine(event.kind),
        ...event.registrations.map((registration) => `= name ${nameWords(registration)}`),
      ];
    case "registered":
      return [`+ name ${nameWords(event.registration)}`];
    case "updated":
      return [`~ name ${nameWords(event.registration)}`];
    case "unregistered":
      return [`- name ${nameWords(event.registration)}  (${reasonWords(event.reason)})`];
    case "clash": {
      const kept = event.verdict.keep === "none" ? "nobody keeps it" : `${event.verdict.keep} keeps it`;
      return [`! name ${shownText(event.name)}  ${event.contenders.length} had it; ${kept}`];
    }
  }
}

export function wordsOfGroup(event: GroupEvent): readonly string[] {
  switch (event.kind) {
    case "state":
    case "resync":
      return [
        ...resyncLine(event.kind),
        ...[...event.groups].flatMap(([group, members]) =>
          members.map((member) => `= group ${memberWords(group, member)}`),
        ),
      ];
    case "joined":
      return [`+ group ${memberWords(event.group, event.member)}`];
    case "updated":
      return [`~ group ${memberWords(event.group, event.member)}`];
    case "left":
      return [`- group ${memberWords(event.group, event.member)}  (${reasonWords(event.reason)})`];
  }
}

export function wordsOfNode(event: NodeEvent): readonly string[] {
  switch (event.kind) {
    case "state":
    case "resync":
      return [...resyncLine(event.kind), ...event.nodes.map((node) => `= node ${nodeWords(node)}`)];
    case "up":
      return [`+ node ${nodeWords(event.node)}`];
    case "suspect":
      return [`~ node ${nodeWords(event.node)}`];
    case "down":
      return [`- node ${event.node.id}  (${reasonWords(event.reason)})`];
  }
}

function resyncLine(kind: "state" | "resync"): readonly string[] {
  return kind === "resync" ? ["! too slow to be told of everything; this is how it is now:"] : [];
}

function nameWords({ meta, name, pid }: Registration): string {
  return `${shownText(name)}  ${pid}${metaWords(meta)}`;
}

function memberWords(group: string, { meta, pid }: Member): string {
  return `${shownText(group)}  ${pid}${metaWords(meta)}`;
}

function nodeWords({ id, state }: NodeView): string {
  return `${id}  ${state}`;
}

function metaWords(meta: unknown): string {
  return meta === undefined ? "" : `  ${shownValue(meta)}`;
}

function reasonWords(reason: { readonly kind: string; readonly cause?: string }): string {
  return reason.cause === undefined ? reason.kind : `${reason.kind}, ${reason.cause}`;
}
