import { fraction } from "../../kernel/random.ts";
import { wordsOfFault } from "../machine/telling.ts";
import type { Fault } from "../plan.ts";
import type { Programs } from "./programs.ts";
import { nameOfPlace, type RunRecord } from "./record.ts";
import type { Member } from "./world.ts";

/** Brings about what goes wrong, and notes for how long it can be felt. */
export class Faults {
  readonly #record: RunRecord;
  readonly #programs: Programs;
  readonly #ends = new Set<() => void>();

  constructor(record: RunRecord, programs: Programs) {
    this.#record = record;
    this.#programs = programs;
  }

  inject(fault: Fault): void {
    const record = this.#record;
    record.injected.set(fault.kind, (record.injected.get(fault.kind) ?? 0) + 1);
    record.observe("node" in fault ? nameOfPlace(fault.node) : "world", wordsOfFault(fault), "fault");
    const { network } = record.world;
    switch (fault.kind) {
      case "cut": {
        const sides = fault.sides.map((side) => side.map(nameOfPlace));
        this.#lasting(undefined, fault.forMs, network.cut(sides, { blackHole: fault.blackHole }));
        return;
      }
      case "deaf": {
        const [from, to] = [nameOfPlace(fault.from), nameOfPlace(fault.to)];
        this.#lasting([from, to], fault.forMs, network.deafen(from, to));
        return;
      }
      case "clog": {
        const [from, to] = [nameOfPlace(fault.from), nameOfPlace(fault.to)];
        this.#lasting([from, to], fault.forMs, network.clog(from, to, fault.byMs));
        return;
      }
      case "repeat":
        this.#endAfter(fault.forMs, network.repeat(nameOfPlace(fault.from), nameOfPlace(fault.to)));
        return;
      case "busRestart":
        this.#restartBus(fault);
        return;
      case "restart":
        record.disturb([nameOfPlace(fault.node)], record.world.at(nameOfPlace(fault.node)) ? 15_000 : 0);
        this.#programs.start(fault.node);
        return;
      default:
        this.#injectInto(fault);
    }
  }

  /** A fault that would last into the rest ends with it. */
  endAll(): void {
    const { world } = this.#record;
    for (const end of this.#ends) end();
    for (const member of world.present) {
      world.resume(member);
      world.network.reconnect(member.name);
    }
  }

  #injectInto(
    fault: Extract<
      Fault,
      { kind: "disconnect" | "slowConsumer" | "pause" | "crash" | "depart" | "drift" | "step" }
    >,
  ): void {
    const { world } = this.#record;
    const member = world.at(nameOfPlace(fault.node));
    if (member === undefined) return;
    switch (fault.kind) {
      case "disconnect":
        this.#disconnect(member, fault.forMs, Math.min(fault.noticeMs, fault.forMs));
        return;
      case "slowConsumer":
        this.#disconnect(member, fault.forMs, 0);
        return;
      case "pause":
        this.#record.disturb([member.name], fault.forMs);
        world.pause(member);
        this.#endAfter(fault.forMs, () => world.resume(member));
        return;
      case "crash":
        this.#record.disturb([member.name], 0);
        world.kill(member.name);
        return;
      case "depart":
        if (member.state === "running" && !member.clock.isPaused) void this.#programs.stop(member);
        else {
          this.#record.disturb([member.name], 0);
          world.kill(member.name);
        }
        return;
      case "drift":
        member.clock.setRate(fault.rate);
        this.#endAfter(fault.forMs, () => member.clock.setRate(1));
        return;
      case "step":
        member.clock.stepWall(fault.byMs);
        return;
    }
  }

  #disconnect({ name }: Member, forMs: number, noticeMs: number): void {
    const { network, clock } = this.#record.world;
    this.#record.disturb([name], forMs);
    network.disconnectUnnoticed(name);
    if (noticeMs === 0) this.#noticeDrop(name);
    else clock.after(noticeMs, () => this.#noticeDrop(name));
    this.#endAfter(forMs, () => network.reconnect(name));
  }

  #noticeDrop(name: string): void {
    const { world } = this.#record;
    const member = world.at(name);
    if (member !== undefined && this.#programs.promises.isNameAsked(member))
      this.#record.mark("the bus goes while an answer is awaited");
    world.network.noticeDrop(name);
  }

  #restartBus(fault: Extract<Fault, { kind: "busRestart" }>): void {
    const { world } = this.#record;
    this.#record.disturb(undefined, fault.forMs + fault.spreadMs);
    const draw = world.random.fork(`bus restart:${fault.atMs}`);
    for (const { name } of world.present) {
      world.network.disconnectUnnoticed(name);
      world.clock.after(fraction(draw) * 50, () => this.#noticeDrop(name));
      this.#endAfter(fault.forMs + fraction(draw) * fault.spreadMs, () => world.network.reconnect(name));
    }
  }

  #lasting(names: readonly string[] | undefined, forMs: number, end: () => void): void {
    this.#record.disturb(names, forMs);
    this.#endAfter(forMs, end);
  }

  #endAfter(forMs: number, end: () => void): void {
    this.#ends.add(end);
    this.#record.world.clock.after(forMs, () => {
      this.#ends.delete(end);
      end();
    });
  }
}
