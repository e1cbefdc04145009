import type { ExitReason } from "../../kernel/exit-reason.ts";
import type { NodeId, Pid } from "../../kernel/ids.ts";
import { nodeOfPid } from "../../kernel/ids.ts";
import type { NodeEvent } from "../../monitor/types.ts";
import { createPresence, createPubSub } from "../../node/pubsub/create.ts";
import type { Presence, PubSub } from "../../node/pubsub/types.ts";
import type { ClusterNode, HandlerContext, Process } from "../../node/types.ts";
import { Judge } from "./judge.ts";
import { Mail } from "./mail.ts";
import { Promises } from "./promises.ts";
import { FELT_MS, nameOfPlace, type RunRecord } from "./record.ts";
import { isSpoken, Topics } from "./topics.ts";
import { Views } from "./views.ts";
import type { Member } from "./world.ts";

/** What runs on one node. */
export interface Program {
  readonly member: Member;
  readonly node: ClusterNode;
  readonly topics: PubSub;
  readonly presence: Presence;
  /** One that ends is replaced, in its place. */
  readonly processes: Process[];
  readonly views: Views;
}

/** The programs that use the nodes: their processes, what these do with messages, and those who look on. */
export class Programs {
  readonly promises: Promises;
  readonly mail: Mail;
  readonly topics: Topics;
  readonly judge: Judge;
  readonly #record: RunRecord;
  readonly #running = new Map<Member, Program>();
  readonly #processes = new Map<Pid, Process>();
  /** Those that were ended by their own program. */
  readonly #exited = new Set<Pid>();

  constructor(record: RunRecord) {
    this.#record = record;
    this.promises = new Promises(record);
    this.mail = new Mail(record, (pid) => this.isRunning(pid));
    this.topics = new Topics(record, this.mail, (pid) => this.isRunning(pid));
    this.judge = new Judge(record, (pid) => this.isRunning(pid));
  }

  /** The program at a place, if its node takes part. */
  at(place: number): Program | undefined {
    const member = this.#record.world.at(nameOfPlace(place));
    return member?.state === "running" ? this.#running.get(member) : undefined;
  }

  get all(): readonly Program[] {
    return this.#record.world.present.flatMap((member) => this.#running.get(member) ?? []);
  }

  isRunning(pid: Pid): boolean {
    const member = this.#record.members.get(nodeOfPid(pid));
    return member !== undefined && isThere(member) && this.#processes.get(pid)?.signal.aborted === false;
  }

  start(place: number): Member {
    const record = this.#record;
    const { plan, world } = record;
    if (this.promises.isNameAsked()) record.mark("a node comes while names are asked for");
    const resolve = this.judge.resolver(() => member);
    const member: Member = world.start(nameOfPlace(place), {
      resolve,
      failureDetection: { probeEveryMs: plan.probeEveryMs, arbiterTimeoutMs: 3_000 },
    });
    member.started.then(
      (node) => this.#begin(member, node),
      (error: unknown) => record.fail("every node joins", `${member.name}: ${String(error)}`),
    );
    return member;
  }

  spawn(program: Program, index: number): void {
    const { node, member } = program;
    const process = node.spawn((message, context) => this.#handle(member, message, context), {
      onNotice: (notice) => {
        this.#record.observe(process.pid, `notice ${notice.kind}`);
        this.#record.mark(`a process is told: ${notice.kind}`);
        if (index % 2 === 1) throw new Error("an onNotice that throws");
      },
    });
    program.processes[index] = process;
    this.#processes.set(process.pid, process);
    void process.exited.then((reason) => this.#ended(program, process, reason));
  }

  /** Ends one, and puts another in its place. */
  exit(program: Program, index: number): void {
    const process = program.processes[index];
    if (process === undefined) return;
    this.#exited.add(process.pid);
    process.exit();
    if (program.node.names.namesOf(process.pid).length > 0)
      this.#record.fail("the dead hold no names on their own node", process.pid);
    if (program.node.groups.groupsOf(process.pid).length > 0)
      this.#record.fail("the dead are in no group on their own node", process.pid);
    this.spawn(program, index);
  }

  async stop(member: Member): Promise<void> {
    const record = this.#record;
    const begunMs = record.world.nowMs;
    if (this.promises.isNameAsked()) record.mark("a node leaves while names are asked for");
    await record.world.stop(member);
    this.promises.stopped(member);
    record.observe(member.name, "has stopped");
    // It had to leave without having handed over.
    if (record.world.nowMs - begunMs >= 1_000) record.disturb([member.name], 0);
  }

  #begin(member: Member, node: ClusterNode): void {
    const record = this.#record;
    record.members.set(node.id, member);
    record.observe(member.name, "has joined");
    const topics = createPubSub(node);
    const presence = createPresence(topics);
    const views = new Views(record, member, { node, presence }, (event) => this.#nodeEvent(member, event));
    const program: Program = { member, node, topics, presence, processes: [], views };
    this.#running.set(member, program);
    for (let index = 0; index < record.plan.processes; index += 1) this.spawn(program, index);
    void node.closed.then(({ kind, error }) => {
      if (kind !== "stopped") record.fail("no node has to close", `${node.id}: ${kind}, ${error?.message}`);
    });
  }

  #ended(program: Program, process: Process, reason: ExitReason): void {
    const record = this.#record;
    record.observe(process.pid, `ends: ${reason.kind}`);
    if (this.#exited.has(process.pid)) return;
    if (reason.kind === "shutdown" && program.member.state !== "running") return;
    if (reason.kind !== "nameClash")
      record.fail("no process is ended but by a clash", `${process.pid}: ${reason.kind}`);
    else if (!this.judge.hasHeard(process.pid))
      record.fail("nobody is ended without having been heard", process.pid);
    record.mark("a loser is ended");
    const index = program.processes.indexOf(process);
    if (index >= 0 && program.member.state === "running") this.spawn(program, index);
  }

  async #handle(member: Member, message: unknown, context: HandlerContext): Promise<unknown> {
    const { self, from } = context;
    if (isSpoken(message)) {
      this.topics.delivered(self.pid, message, context);
      return undefined;
    }
    const said = this.mail.delivered(self.pid, message, from);
    if (said === undefined) return undefined;
    if (said.number % 7 === 3) await new Promise<void>((resolve) => member.clock.after(3, resolve));
    if (failsAt(said.number)) throw new Error("a handler that throws");
    return said.number;
  }

  #nodeEvent(member: Member, event: NodeEvent): void {
    if (event.kind !== "down") return;
    const record = this.#record;
    const peer = record.members.get(event.node.id);
    if (peer === undefined || !isThere(peer)) {
      record.mark(
        `a dead node is given up: ${"cause" in event.reason ? event.reason.cause : event.reason.kind}`,
      );
      return;
    }
    const { nowMs } = record.world;
    if (record.wasDisturbed(nowMs - FELT_MS, nowMs, [member.name, peer.name]))
      record.mark("a living node is given up");
    else
      record.fail(
        "nobody who is well is given up",
        `${event.node.id} by ${member.name}: ${JSON.stringify(event.reason)}`,
      );
  }

  /** Whether what is watched has come to an end. */
  isOver(target: { readonly pid: Pid } | { readonly node: NodeId }): boolean {
    if ("pid" in target) return !this.isRunning(target.pid);
    const member = this.#record.members.get(target.node);
    return member === undefined || !isThere(member);
  }
}

/** Whether the handlers here throw at this message. */
export function failsAt(number: number): boolean {
  return number % 11 === 5;
}

function isThere(member: Member): boolean {
  return member.state === "running" || member.state === "starting";
}
