import type { NodeId, Pid } from "../../kernel/ids.ts";
import { nodeOfPid } from "../../kernel/ids.ts";
import type { Down } from "../../monitor/types.ts";
import { fromMemberMeta } from "../../pubsub/presence.ts";
import type { Registration } from "../../resolve/types.ts";
import type { Operation } from "../plan.ts";
import type { Said } from "./mail.ts";
import { failsAt, type Program, type Programs } from "./programs.ts";
import { FELT_MS, type RunRecord } from "./record.ts";

type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;
type Target = { readonly pid: Pid } | { readonly node: NodeId };

interface Watch {
  readonly program: Program;
  readonly target: Target;
  /** Whether its node knew the watched one then. A stranger is taken for dead at once. */
  readonly isKnown: boolean;
  state: "open" | "fired" | "cancelled";
}

/** Does what programs do, by the public interface. What cannot be done, because the node is not there, is left out. */
export class Operations {
  readonly #record: RunRecord;
  readonly #programs: Programs;
  readonly #watches: Watch[] = [];
  /** The kinds of requests that were made for a name. */
  readonly #asked = new Map<string, Set<string>>();

  constructor(record: RunRecord, programs: Programs) {
    this.#record = record;
    this.#programs = programs;
  }

  carryOut(operation: Operation): void {
    const program = this.#programs.at(operation.node);
    // Who stands still does nothing.
    if (program === undefined || program.member.clock.isPaused) return;
    switch (operation.kind) {
      case "register":
      case "takeover":
      case "transfer":
      case "unregister":
      case "update":
        this.#name(program, operation);
        return;
      case "exit":
        this.#programs.exit(program, operation.process);
        return;
      case "join":
      case "leave":
        this.#joinOrLeave(program, operation);
        return;
      case "crowd":
        for (let index = 0; index < operation.groups; index += 1)
          this.#joinOrLeave(program, { ...operation, kind: "join", group: `crowd ${index}`, meta: 0 });
        return;
      case "updateMember":
        this.#updateMember(program, operation);
        return;
      case "monitor":
      case "monitorNode":
        this.#monitor(program, operation);
        return;
      case "say":
        for (let count = 0; count < operation.times; count += 1) this.#say(program, operation);
        return;
      case "present":
        this.#present(program, operation);
        return;
      case "subscribe":
        this.#programs.topics.subscribe(program, operation);
        return;
      case "unsubscribe":
        this.#programs.topics.unsubscribe(program, operation);
        return;
      case "broadcast": {
        const to = operation.to === undefined ? undefined : this.#programs.at(operation.to)?.node.id;
        for (let count = 0; count < operation.times; count += 1)
          this.#programs.topics.broadcast(program, operation, to);
        return;
      }
      case "publish":
        for (let count = 0; count < operation.times; count += 1) this.#publish(program, operation);
        return;
    }
  }

  /** Whoever watched something that has come to its end was told. */
  atRest(): void {
    for (const { program, target, state } of this.#watches) {
      if (program.member.state !== "running" || state !== "open") continue;
      if (this.#programs.isOver(target))
        this.#record.fail("every monitor fires", `on ${shown(target)}, of ${program.member.name}`);
    }
  }

  #name(
    { node, member }: Program,
    operation: Of<"register" | "takeover" | "transfer" | "unregister" | "update">,
  ): void {
    const { promises } = this.#programs;
    const { kind, name } = operation;
    const { names } = node;
    const what = `${kind} ${name}`;
    this.#note(name, kind);
    if (kind === "unregister") {
      const { of } = operation;
      const only = of && this.#programs.at(of.owner)?.processes[of.process]?.pid;
      if (of !== undefined && only === undefined) return;
      const isDone = names.unregister(name, { pid: only });
      promises.watch(member, only === undefined ? what : `${what} of ${only}`, isDone);
      return;
    }
    if (kind === "update") {
      const { meta } = operation;
      promises.watch(
        member,
        what,
        names.update(name, () => meta),
      );
      return;
    }
    const pid = this.#programs.at(operation.owner)?.processes[operation.process]?.pid;
    if (pid === undefined) return;
    const asked = `${what} ${pid}`;
    const result = (registration: Registration): void => {
      if (registration.name !== name || registration.pid !== pid)
        this.#record.fail("a registration is what was asked for", `${asked}: ${registration.pid}`);
      this.#record.mark(`done: ${kind}`);
      if (nodeOfPid(pid) !== node.id) this.#record.mark(`${kind} for a process of another node`);
      // Granted while its node was stopping.
      if (member.state !== "running") return;
      // It may have ended before its registration was answered.
      if (!this.#programs.isRunning(pid)) return;
      const seen = names.whereis(name)?.pid;
      if (this.#record.isCalm && this.#isPlain(name) && seen !== undefined && seen !== pid)
        this.#record.fail(
          "a caller reads its own writes",
          `${name} is ${seen} on ${member.name}, not ${pid}`,
        );
    };
    if (kind === "transfer") promises.watch(member, asked, names.transfer(name, pid), { result });
    else if (kind === "takeover") promises.watch(member, asked, names.reregister(name, pid), { result });
    else promises.watch(member, asked, names.register(name, pid), { result });
  }

  #joinOrLeave({ node, member, processes }: Program, operation: Of<"join" | "leave">): void {
    const process = processes[operation.process];
    if (process === undefined || process.signal.aborted) return;
    const { group } = operation;
    const others = (operation.with ?? []).map((number) => processes[number]);
    const all = [process, ...others.filter((each) => each?.signal.aborted === false)] as (typeof process)[];
    const joins = () => node.groups.localMembers(group).find(({ pid }) => pid === process.pid)?.joins ?? 0;
    const before = joins();
    const times = all.filter((each) => each === process).length;
    if (operation.kind === "join") node.groups.join(group, all, { meta: operation.meta });
    else {
      node.groups.leave(group, all);
      for (const each of all) this.#programs.mail.left(group, each.pid);
    }
    const expected = operation.kind === "join" ? before + times : Math.max(0, before - times);
    this.#record.observe(member.name, `${operation.kind} ${group}: ${expected}`);
    if (expected > 1) this.#record.mark("a process joined a group more than once");
    if (joins() !== expected)
      this.#record.fail("joins are counted", `${group} ${process.pid}: ${joins()}, in truth ${expected}`);
  }

  #updateMember({ node, processes }: Program, { group, process, meta }: Of<"updateMember">): void {
    const pid = processes[process]?.pid;
    const member = node.groups.localMembers(group).find((each) => each.pid === pid);
    if (member !== undefined) node.groups.update(group, member.pid, () => meta);
  }

  #present({ node, presence, processes }: Program, operation: Of<"present">): void {
    const process = processes[operation.process];
    if (process === undefined || process.signal.aborted) return;
    const { how, key, meta, topic } = operation;
    const refs = (): readonly string[] =>
      node.groups
        .localMembers(`presence:default:${topic}`)
        .filter(({ pid }) => pid === process.pid)
        .flatMap((member) => fromMemberMeta(member.meta))
        .filter((entry) => entry.key === key)
        .map((entry) => entry.meta.phx_ref);
    const [before] = refs();
    if (how === "untrack") presence.untrack(process, topic, key);
    else if ((how === "track") !== (before === undefined)) return;
    else if (how === "track") presence.track(process, topic, key, { meta });
    else presence.update(process, topic, key, { meta });
    const [after] = refs();
    this.#record.mark(`presence: ${how}`);
    if ((after === undefined) !== (how === "untrack") || (after !== undefined && after === before))
      this.#record.fail("a presence is what was said last", `${how} ${topic} ${key} of ${process.pid}`);
  }

  #monitor(program: Program, operation: Of<"monitor" | "monitorNode">): void {
    const owner = this.#programs.at(operation.kind === "monitor" ? operation.owner : operation.watched);
    if (owner === undefined) return;
    const pid = operation.kind === "monitor" ? owner.processes[operation.process]?.pid : undefined;
    if (operation.kind === "monitor" && pid === undefined) return;
    const target: Target = pid === undefined ? { node: owner.node.id } : { pid };
    const monitor = program.node.monitor(pid === undefined ? { node: owner.node.id } : pid);
    const isKnown = program.node.nodes().some(({ id }) => id === owner.node.id);
    const watch: Watch = { program, target, isKnown, state: "open" };
    this.#watches.push(watch);
    void monitor.down.then((down) => this.#down(watch, down));
    const { forMs = 0 } = operation;
    if (forMs === 0) return;
    program.member.clock.after(forMs, () => {
      const wasOpen = watch.state === "open";
      const isCancelled = monitor.cancel();
      if (isCancelled && !wasOpen)
        this.#record.fail("a monitor that has fired is not cancelled", shown(target));
      if (isCancelled) watch.state = "cancelled";
    });
  }

  #down(watch: Watch, down: Down): void {
    const record = this.#record;
    const { target, program } = watch;
    record.observe(program.member.name, `down ${shown(target)}: ${down.reason.kind}`);
    if (watch.state !== "open")
      record.fail("one down for each monitor", `${shown(target)}, which was ${watch.state}`);
    watch.state = "fired";
    const node = "pid" in target ? nodeOfPid(target.pid) : target.node;
    if (down.node !== node)
      record.fail("a down is about what is watched", `${down.node} for ${shown(target)}`);
    record.mark(`a monitor fires: ${down.reason.kind}`);
    if (this.#programs.isOver(target)) return;
    const { nowMs } = record.world;
    const names = [program.member.name, record.members.get(node)?.name ?? ""];
    const fits = down.reason.kind === "nodeDown" || (down.reason.kind === "noSuchProcess" && !watch.isKnown);
    if (!fits || !record.wasDisturbed(nowMs - FELT_MS, nowMs, names))
      record.fail("no down before a cause", `${shown(target)} runs: ${down.reason.kind}`);
  }

  #say(program: Program, { process, how, to }: Of<"say">): void {
    const { mail, promises } = this.#programs;
    const { node, member } = program;
    const from = program.processes[process]?.pid;
    if (from === undefined) return;
    const pid =
      "name" in to
        ? node.names.whereis(to.name)?.pid
        : this.#programs.at(to.owner)?.processes[to.process]?.pid;
    if (pid === undefined || pid === from) return;
    const said = mail.next(from);
    const address = "name" in to ? to : pid;
    if (how === "send") {
      this.#record.observe(from, `sends ${said.number} to ${pid}`, "input");
      this.#try(() => node.send(address, said, { from })) && this.#expect(program, said, pid);
      return;
    }
    promises.watch(member, `call ${said.number} of ${from}`, node.call(address, said, { from }), {
      result: (value) => {
        if (value !== said.number || failsAt(said.number))
          this.#record.fail("a call is answered by what its handler returned", `${said.number}: ${value}`);
        this.#record.mark("a call is answered");
      },
      error: ({ code, message }) => {
        if (code === "CALL_FAILED" && !failsAt(said.number))
          this.#record.fail("a call fails only where its handler does", `${said.number}: ${message}`);
      },
    });
  }

  #publish(program: Program, { process, group }: Of<"publish">): void {
    const { node } = program;
    const from = program.processes[process]?.pid;
    if (from === undefined) return;
    const said = this.#programs.mail.next(from);
    const members = node.groups.members(group).map(({ pid }) => pid);
    this.#record.observe(from, `publishes ${said.number} to ${group}: ${members.join()}`, "input");
    let count = 0;
    if (!this.#try(() => (count = node.groups.publish(group, said, { from })))) return;
    if (count !== members.length)
      this.#record.fail("a publish is for every member", `${count} of ${members.length} in ${group}`);
    for (const pid of members) this.#expect(program, said, pid, group);
    if (count > 1) this.#record.mark("a publish to several");
  }

  /** A message to a node that is not known here yet, or not any more, is lost in good order. */
  #expect({ node }: Program, said: Said, to: Pid, group?: string): void {
    if (node.nodes().some(({ id }) => id === nodeOfPid(to))) this.#programs.mail.expect(said, to, group);
  }

  #try(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.#record.fail("a send is taken", String(error));
      return false;
    }
  }

  #note(name: string, kind: string): void {
    const kinds = this.#asked.get(name);
    if (kinds === undefined) this.#asked.set(name, new Set([kind]));
    else kinds.add(kind);
  }

  #isPlain(name: string): boolean {
    return [...(this.#asked.get(name) ?? [])].every((kind) => kind === "register");
  }
}

function shown(target: Target): string {
  return "pid" in target ? target.pid : target.node;
}
