import { nameOfNode, nodeOfPid, type Pid } from "../../kernel/ids.ts";
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
    const way = `${from} ${to}`;
    const latest = this.#latest.get(way) ?? 0;
    if (number <= latest)
      record.fail("messages of a pair keep their order and come once", `${number} after ${latest}, ${way}`);
    this.#latest.set(way, number);
    this.#delivered.add(`${way} ${number}`);
    return message;
  }

  atRest(): void {
    for (const [from, sent] of this.#sent) {
      for (const each of sent) this.#look(from, each);
    }
  }

  #look(from: Pid, { to, number, atMs, group }: Sent): void {
    if (this.#delivered.has(`${from} ${to} ${number}`)) return;
    const record = this.#record;
    const sender = record.members.get(nodeOfPid(from));
    const receiver = record.members.get(nodeOfPid(to));
    if (sender === undefined || receiver === undefined) return;
    const names = [sender.name, receiver.name];
    const excused =
      !this.#isRunning(to) ||
      (this.#leftAtMs.get(`${group} ${to}`) ?? -1) >= atMs - MARGIN_MS ||
      sender.state !== "running" ||
      atMs < sender.startedAtMs + MARGIN_MS ||
      atMs < receiver.startedAtMs + MARGIN_MS ||
      record.wasDisturbed(atMs - FELT_MS, atMs + FELT_MS, names);
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
