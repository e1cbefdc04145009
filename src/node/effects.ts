import type { BusConnection } from "../bus/port.ts";
import type { Messages } from "../bus/wire-schema.ts";
import type { NameEvent } from "../global/types.ts";
import type { RollcallError } from "../kernel/errors.ts";
import type { NodeId } from "../kernel/ids.ts";
import type { NodeEvent } from "../monitor/types.ts";
import type { NodeCore } from "./core.ts";
import { STATE } from "./frame.ts";
import type { Inbox } from "./inbox.ts";
import type { NodeEffect } from "./machine-types.ts";
import type { MonitorTable } from "./monitors.ts";
import type { ClusterMessage } from "./protocol.ts";
import type { Scopes } from "./scopes.ts";
import type { Leases } from "./strict/leases.ts";
import type { WatchHub } from "./watch-hub.ts";

export interface EffectsOptions {
  readonly core: NodeCore;
  readonly connection: BusConnection;
  readonly clusterMessages: Messages<ClusterMessage>;
  readonly inbox: Inbox;
  readonly monitors: MonitorTable;
  readonly scopes: Scopes;
  readonly leases: Leases | undefined;
  readonly nodes: WatchHub<NodeEvent>;
  onReady(): void;
  onFatal(error: RollcallError): void;
  onDown(node: NodeId): void;
}

/** Does what the machine says. Code of users is put off until the machine is at rest. */
export class Effects {
  readonly #options: EffectsOptions;

  constructor(options: EffectsOptions) {
    this.#options = options;
  }

  carryOut(effect: NodeEffect): void {
    const { core, connection, clusterMessages, leases, monitors, scopes } = this.#options;
    const { outbox, processes, pump, resolvers, subjects } = core;
    switch (effect.kind) {
      case "send":
        outbox.sendTo(effect.to, STATE, clusterMessages.encode(effect.message));
        return;
      case "broadcast": {
        const subject = effect.scope === undefined ? subjects.all : subjects.scope(effect.scope);
        outbox.sendWide(subject, STATE, clusterMessages.encode(effect.message));
        return;
      }
      case "probe":
        connection.probe(subjects.node(effect.node));
        return;
      case "wrote":
        outbox.expectState();
        return;
      case "answer":
        core.requests.answer(effect.request, effect.answer);
        return;
      case "exit":
        processes.find(effect.pid)?.exit(effect.reason);
        return;
      case "notify":
        pump.afterwards(() => void processes.find(effect.pid)?.notify(effect.notice));
        return;
      case "nameEvent":
        scopes.get(effect.scope)?.names.hub.emit(nameIn(effect.event), effect.event);
        return;
      case "groupEvent":
        scopes
          .get(effect.scope)
          ?.groups.hub.emit("group" in effect.event ? effect.event.group : undefined, effect.event);
        return;
      case "nodeEvent":
        this.#nodeEvent(effect.event);
        return;
      case "down":
        monitors.down(effect.monitor, effect.down);
        return;
      case "resolve": {
        const { clash, details, resolver } = effect;
        pump.afterwards(() =>
          resolvers.run(resolver, details, (outcome) =>
            pump.feed({ kind: "resolved", scope: details.scope, clash, outcome }),
          ),
        );
        return;
      }
      case "forgetResolver":
        resolvers.forget(effect.resolver);
        return;
      case "leaseMessage":
        if (leases === undefined) core.counts.messages.unasked += 1;
        else leases.receive(effect.from, effect.message);
        return;
      case "ready":
        this.#options.onReady();
        return;
      case "fatal":
        // The stop feeds the machine once more, so it has to wait for the end of this step.
        pump.afterwards(() => this.#options.onFatal(effect.error));
        return;
      case "log":
        core.logger[effect.level](effect.details, effect.message);
        return;
    }
  }

  #nodeEvent(event: NodeEvent): void {
    const { core, inbox, nodes, scopes } = this.#options;
    scopes.membershipChanged();
    if (event.kind === "up") inbox.nodeUp(event.node.id);
    if (event.kind === "down") {
      core.calls.nodeDown(event.node.id);
      core.outbox.forget(event.node.id);
      inbox.nodeDown(event.node.id);
      this.#options.onDown(event.node.id);
    }
    nodes.emit(undefined, event);
  }
}

function nameIn(event: NameEvent): string | undefined {
  switch (event.kind) {
    case "registered":
    case "updated":
    case "unregistered":
      return event.registration.name;
    case "clash":
      return event.name;
    default:
      return undefined;
  }
}
