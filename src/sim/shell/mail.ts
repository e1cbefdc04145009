import { type NodeId, nameOfNode, nodeOfPid, type Pid } from "../../kernel/ids.ts";
import { FELT_MS, type RunRecord } from "./record.ts";

/** What a process says to another. */
export interface Said {
  readonly from: Pid;
  /** Counts up for each sender, however it says it and to whomever. */
  readonly number: number;
}

interface Sent {
  readonly to: Pid;
  readonly number: number;
  readonly atMs: number;
  /** It was for the members of this group. */
  readonly group: string | undefined;
}

/** How long after two nodes have found each other, or before one of them has ended, a message may go astray. */
const MARGIN_MS = 2_000;

/** Messages between a pair are never reordered, come once, and are lost only where something went wrong. */
export class Mail {
  readonly #record: RunRecord;
  readonly #isRunning: (pid: Pid) => boolean;
  readonly #numbers = new Map<Pid, number>();
  readonly #latest = new Map<string, number>();
  readonly #delivered = new Set<string>();
  /** When a process was last made to leave a group. */
  readonly #leftAtMs = new Map<string, number>();
  readonly #sent = new Map<Pid, Sent[]>();

  constructor(record: RunRecord, isRunning: (pid: Pid) => boolean) {
    this.#record = record;
    this.#isRunning = isRunning;
  }

  /** The next thing that this process says. */
  next(from: Pid): Said {
    const number = (this.#numbers.get(from) ?? 0) + 1;
    this.#numbers.set(from, number);
    return { from, number };
  }

  /** It was taken, for this one. */
  expect({ from, number }: Said, to: Pid, group?: string): void {
    const sent = this.#sent.get(from) ?? [];
    this.#sent.set(from, sent);
    sent.push({ to, number, atMs: this.#record.world.nowMs, group });
  }

  /** A member left: what was under way to it as one is for nobody. */
  left(group: string, pid: Pid): void {
    this.#leftAtMs.set(`${group} ${pid}`, this.#record.world.nowMs);
  }

  delivered(to: Pid, message: unknown, sender: Pid | undefined): Said | undefined {
    const record = this.#record;
    if (!isSaid(message)) {
      record.fail("messages come as they were sent", `${JSON.stringify(message)} to ${to}`);
      return undefined;
    }
    const { from, number } = message;
    record.observe(to, `hears ${number} of ${from}`);
    if (sender !== from) record.fail("messages tell who sent them", `${from} as ${sender}, to ${to}`);
    this.inOrder(message, to, false);
    this.#delivered.add(`${from} ${to} ${number}`);
    return message;
  }

  /**
   * Looks at the order in which one hears another, however it was said.
   *
   * @param isAgain it may have been the last before, too
   */
  inOrder({ from, number }: Said, to: string, isAgain: boolean): void {
    const way = `${from} ${to}`;
    const latest = this.#latest.get(way) ?? 0;
    if (number < latest || (number === latest && !isAgain))
      this.#record.fail(
        "messages of a pair keep their order and come once",
        `${number} after ${latest}, ${way}`,
      );
    this.#latest.set(way, number);
  }

  /** Whether what was said then, between these nodes, may have been lost. */
  isExcused(from: NodeId, to: NodeId, atMs: number): boolean {
    const record = this.#record;
    const [sender, receiver] = [record.members.get(from), record.members.get(to)];
    if (sender === undefined || receiver === undefined) return true;
    return (
      sender.state !== "running" ||
      atMs < sender.startedAtMs + MARGIN_MS ||
      atMs < receiver.startedAtMs + MARGIN_MS ||
      record.wasDisturbed(atMs - FELT_MS, atMs + FELT_MS, [sender.name, receiver.name])
    );
  }

  atRest(): void {
    for (const [from, sent] of this.#sent) {
      for (const each of sent) this.#look(from, each);
    }
  }

  #look(from: Pid, { to, number, atMs, group }: Sent): void {
    if (this.#delivered.has(`${from} ${to} ${number}`)) return;
    const record = this.#record;
    const excused =
      !this.#isRunning(to) ||
      (this.#leftAtMs.get(`${group} ${to}`) ?? -1) >= atMs - MARGIN_MS ||
      this.isExcused(nodeOfPid(from), nodeOfPid(to), atMs);
    if (excused) record.mark("a message was lost, with cause");
    else
      record.fail(
        "no message is lost when nothing goes wrong",
        `${number} of ${from} to ${to}, sent at ${atMs.toFixed(1)} ms by ${nameOfNode(nodeOfPid(from))}`,
      );
  }
}

export function isSaid(message: unknown): message is Said {
  return typeof message === "object" && message !== null && "from" in message && "number" in message;
}
