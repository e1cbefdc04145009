import type { SimLeaseNode } from "./node.ts";
import type { LeaseFault, LeasePlan } from "./plan.ts";
import { placeOfFault, placeOfServer, wordsOfLeaseFault } from "./telling.ts";
import type { LeaseWorld } from "./world.ts";

type ServerFault = Extract<LeaseFault, { readonly kind: "restart" | "serverPause" | "serverStep" }>;
type NodeFault = Exclude<LeaseFault, ServerFault>;
type LineFault = Extract<NodeFault, { readonly server: number }>;

export interface LeaseFaultsOptions {
  readonly plan: LeasePlan;
  readonly world: LeaseWorld;
  crash(node: SimLeaseNode): void;
  mark(mark: string): void;
}

/** Brings about what goes wrong, and ends it. */
export class LeaseFaults {
  /** How often each kind was injected. */
  readonly injected = new Map<LeaseFault["kind"], number>();
  readonly #plan: LeasePlan;
  readonly #world: LeaseWorld;
  readonly #options: LeaseFaultsOptions;

  constructor(options: LeaseFaultsOptions) {
    this.#plan = options.plan;
    this.#world = options.world;
    this.#options = options;
  }

  inject(fault: LeaseFault): void {
    this.injected.set(fault.kind, (this.injected.get(fault.kind) ?? 0) + 1);
    this.#world.teller?.line(placeOfFault(fault), "fault", wordsOfLeaseFault(fault));
    if (!("node" in fault)) {
      this.#failServer(fault);
      return;
    }
    const node = this.#world.at(fault.node);
    if (node === undefined) return;
    if ("server" in fault) this.#failLine(node, fault);
    else this.#failNode(node, fault);
  }

  /** Nothing goes wrong any more. Clocks that keep to the bound stay as they are. */
  endAll(): void {
    const world = this.#world;
    for (const node of world.nodes) {
      // A clock that is far too slow renews so seldom that servers which nobody else asks take themselves for stopped.
      if (!this.#plan.areClocksSound && !node.isSuspended) {
        node.clock.setRate(1);
        node.rearm();
      }
      for (const server of world.servers.keys()) {
        Object.assign(world.line(node, server), { isMute: false, slowerByMs: 0 });
        world.heal(node, server);
      }
      for (const other of world.nodes) world.deafen(node, other, false);
    }
  }

  #later(fault: LeaseFault, run: () => void): void {
    this.#world.clock.after(fault.forMs, run);
  }

  #failServer(fault: ServerFault): void {
    const world = this.#world;
    const server = world.servers[fault.server];
    if (server === undefined) return;
    switch (fault.kind) {
      case "restart":
        if (!this.#mayForget()) return;
        world.effective.add(fault.kind);
        this.#options.mark(`servers forget: ${fault.data}`);
        if (fault.data === "wiped") server.wipe();
        else world.restart(fault.server, fault.data);
        return;
      case "serverPause":
        server.pause();
        this.#later(fault, () => server.resume());
        this.#showStandstill(placeOfServer(fault.server), fault);
        return;
      case "serverStep":
        server.step(fault.byMs);
        return;
    }
  }

  /** Leases stand the loss of a minority's data, and of another's only when that minority is well again. */
  #mayForget(): boolean {
    const { servers } = this.#world;
    const unwell = servers.filter(({ isReady }) => !isReady).length;
    return unwell + 1 <= (servers.length - 1) / 2;
  }

  #failLine(node: SimLeaseNode, fault: LineFault): void {
    const world = this.#world;
    const { forMs, server } = fault;
    const line = world.line(node, server);
    switch (fault.kind) {
      case "cut":
        world.cut(node, server, forMs / 3);
        this.#later(fault, () => world.heal(node, server));
        return;
      case "mute":
        line.isMute = true;
        this.#later(fault, () => {
          line.isMute = false;
        });
        return;
      case "late": {
        const letGo = world.keepRequests(node, server);
        world.clock.after(forMs / 2, () => {
          line.kept = undefined;
          world.breakLine(node, server);
        });
        this.#later(fault, letGo);
        return;
      }
      case "slow":
        line.slowerByMs = fault.byMs;
        this.#later(fault, () => {
          line.slowerByMs = 0;
        });
        return;
      case "break":
        if (line.isUp) world.effective.add(fault.kind);
        world.breakLine(node, server);
        return;
    }
  }

  #failNode(node: SimLeaseNode, fault: Exclude<NodeFault, LineFault>): void {
    const world = this.#world;
    switch (fault.kind) {
      case "pause":
        node.pause();
        this.#later(fault, () => node.resume());
        this.#showStandstill(node.place, fault);
        return;
      case "crash": {
        this.#options.crash(node);
        const next = world.start(node.place);
        world.teller?.started(next);
        return;
      }
      case "suspend":
        node.suspend();
        this.#later(fault, () => node.wake());
        this.#showStandstill(node.place, fault);
        return;
      case "deaf": {
        const other = world.at(fault.other);
        if (other === undefined) return;
        world.deafen(node, other, true);
        this.#later(fault, () => world.deafen(node, other, false));
        return;
      }
      case "step":
        // Seen by the node before it falls asleep: two things that hide each other are more than it can stand.
        if (!node.isSuspended) node.clock.stepWall(fault.byMs);
        node.machine.quorum(node.now());
        if (!node.isSuspended && fault.byMs !== 0) world.effective.add(fault.kind);
        return;
      case "drift":
        if (!node.isSuspended) node.clock.setRate(fault.rate);
        node.rearm();
        return;
    }
  }

  /** To a reader, until it goes on: of two that overlap, the first that ends. */
  #showStandstill(place: number, fault: LeaseFault): void {
    const { teller } = this.#world;
    teller?.line(place, "standstill", "stands still", [], "paused");
    this.#later(fault, () => teller?.line(place, "standstill", "goes on", [], "up"));
  }
}
