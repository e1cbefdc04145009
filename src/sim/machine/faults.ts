import { fraction } from "../../kernel/random.ts";
import type { Fault } from "../plan.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

/** Brings about what goes wrong, and notes for how long it can be felt. */
export class Faults {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  inject(fault: Fault): void {
    this.#world.injected.set(fault.kind, (this.#world.injected.get(fault.kind) ?? 0) + 1);
    const { network } = this.#world;
    switch (fault.kind) {
      case "cut":
        this.#lasting(fault, undefined, fault.forMs, (by) => network.cut(fault.sides, by, fault.blackHole));
        return;
      case "deaf":
        this.#lasting(fault, [fault.from, fault.to], fault.forMs, (by) =>
          network.deafen(fault.from, fault.to, by),
        );
        return;
      case "clog":
        this.#lasting(fault, [fault.from, fault.to], fault.forMs, (by) =>
          network.slow(fault.from, fault.to, by * fault.byMs),
        );
        return;
      case "busRestart":
        this.#restartBus(fault);
        return;
      case "repeat":
        return;
      default:
        this.#injectInto(fault);
    }
  }

  #injectInto(fault: Exclude<Fault, { kind: "cut" | "deaf" | "clog" | "busRestart" | "repeat" }>): void {
    const node = this.#world.at(fault.node);
    if (fault.kind === "restart") {
      this.#disturb(fault.kind, [fault.node], node === undefined ? 0 : 15_000);
      this.#world.start(fault.node);
      this.#world.effective.add("restart");
      return;
    }
    if (node === undefined) return;
    if ((fault.kind === "crash" || fault.kind === "depart") && node.isMissed)
      this.#world.effective.add(fault.kind);
    switch (fault.kind) {
      case "disconnect":
      case "slowConsumer": {
        this.#disturb(fault.kind, [fault.node], fault.forMs);
        node.drop(fault.kind);
        const noticeMs = fault.kind === "disconnect" ? Math.min(fault.noticeMs, fault.forMs) : 0;
        this.#world.clock.after(noticeMs, () => node.noticeDrop());
        this.#world.clock.after(fault.forMs, () => node.reconnect());
        return;
      }
      case "pause":
        this.#disturb(fault.kind, [fault.node], fault.forMs);
        node.pause();
        this.#world.clock.after(fault.forMs, () => node.resume());
        return;
      case "crash":
        this.#disturb(fault.kind, [fault.node], 0);
        node.kill();
        return;
      case "depart":
        this.#depart(node);
        return;
      case "drift":
        node.clock.setRate(fault.rate);
        node.rescheduleTick();
        this.#world.clock.after(fault.forMs, () => {
          node.clock.setRate(1);
          node.rescheduleTick();
        });
        return;
      case "step":
        node.clock.stepWall(fault.byMs);
        // What it says from now on carries another stamp.
        if (node.isReady && fault.byMs !== 0) this.#world.effective.add("step");
        return;
    }
  }

  /** Hands arbitration over first, as `stop()` does, and for as long at most. */
  #depart(node: SimNode): void {
    if (!node.isReady || node.isPaused) {
      this.#disturb("crash", [node.place], 0);
      node.kill();
      return;
    }
    node.isLeaving = true;
    const retiring = node.ask((request) => ({ kind: "retire", request }));
    const begunMs = this.#world.nowMs;
    const look = (): void => {
      if (!node.isAlive) return;
      if (retiring.answer === undefined && this.#world.nowMs - begunMs < 1_000) {
        this.#world.clock.after(10, look);
        return;
      }
      if (retiring.answer === undefined) this.#disturb("depart", [node.place], 0);
      node.depart();
    };
    look();
  }

  #restartBus(fault: Extract<Fault, { kind: "busRestart" }>): void {
    this.#disturb(fault.kind, undefined, fault.forMs + fault.spreadMs);
    const draw = this.#world.random.fork(`bus restart:${fault.atMs}`);
    for (const node of this.#world.present) {
      node.drop(fault.kind);
      this.#world.clock.after(fraction(draw) * 50, () => node.noticeDrop());
      this.#world.clock.after(fault.forMs + fraction(draw) * fault.spreadMs, () => node.reconnect());
    }
  }

  #lasting(
    fault: Fault,
    places: readonly number[] | undefined,
    forMs: number,
    set: (by: 1 | -1) => void,
  ): void {
    this.#disturb(fault.kind, places, forMs);
    set(1);
    this.#world.clock.after(forMs, () => {
      set(-1);
      this.#world.tell(-1, "fault", `${fault.kind} is over`);
    });
  }

  #disturb(kind: Fault["kind"], places: readonly number[] | undefined, forMs: number): void {
    this.#world.disturbances.push({
      kind,
      places,
      fromMs: this.#world.nowMs,
      untilMs: this.#world.nowMs + forMs,
    });
  }

  /** A fault that would last into the rest ends with it. The generator sees to it; a plan made by hand may not. */
  endAll(): void {
    for (const node of this.#world.present) {
      if (node.isPaused) node.resume();
      node.reconnect();
    }
  }
}
