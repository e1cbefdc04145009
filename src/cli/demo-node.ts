import {
  type ClusterNode,
  type Contender,
  type ExitReason,
  embeddedBus,
  keepBy,
  NameTakenError,
  type NodeId,
  natsBus,
  type Resolver,
  RollcallError,
  startNode,
} from "../index.ts";
import { nameOfNode } from "../kernel/ids.ts";
import { realClock } from "../node/real-clock.ts";
import { type CuttableBus, cuttable } from "./demo/cuttable.ts";
import type {
  Answers,
  Asks,
  CommandKind,
  NodeSetup,
  Reply,
  Report,
  Request,
  Sighting,
  View,
} from "./demo/protocol.ts";

/*
 * One node of the demo, in an OS process of its own. It does what the teller of the story asks for, with the public interface
 * of the library, and reports what it sees.
 */

/** What the metadata of a service says: how many calls it has answered. */
interface Sales {
  readonly orders: number;
}

type Handlers = { readonly [K in CommandKind]: (asks: Asks<K>) => Promise<Answers<K>> | Answers<K> };

function tell(report: Report): void {
  // The channel is closed when the teller has died; then this process is about to end as well.
  if (process.connected) process.send?.(report);
}

function saw(sighting: Sighting): void {
  tell({ kind: "sighting", atMs: realClock.now().wallMs, sighting });
}

/**
 * Which service keeps its name after a partition: the one that has answered more calls, with the calls of all of them on its
 * account. A user's resolver looks like this.
 */
const keepTheBusiest: Resolver = (clash) => {
  const busiest = keepBy((contender) => sales(contender.meta).orders)(clash);
  if (busiest.keep === "none") return busiest;
  const orders = clash.contenders.reduce((sum, contender) => sum + sales(contender.meta).orders, 0);
  const kept = clash.contenders.find((contender) => contender.pid === busiest.keep);
  saw({
    kind: "resolving",
    name: clash.name,
    contenders: clash.contenders.map(asReply),
    kept: placeOf(kept?.node),
  });
  return { ...busiest, meta: { orders } };
};

function asReply({ node, meta }: Contender): Reply {
  return { by: placeOf(node), orders: sales(meta).orders };
}

function sales(meta: unknown): Sales {
  return { orders: 0, ...(meta as Partial<Sales> | undefined) };
}

class DemoNode {
  readonly handlers: Handlers = {
    serve: ({ name }) => this.#serve(name),
    standBy: ({ name }) => {
      void this.#standBy(name);
      return true;
    },
    join: ({ group }) => this.#join(group),
    call: ({ name, timeoutMs }) => this.#node.call<Reply>({ name }, "order", { timeoutMs }),
    publish: ({ group, message }) => this.#node.groups.publish(group, message),
    monitor: ({ name }) => {
      const { down } = this.#node.monitor({ name });
      void down.then(({ reason }) => saw({ kind: "monitorFired", name, why: wordsFor(reason) }));
      return true;
    },
    cutOff: ({ nodes }) => {
      this.#bus.cutOff(nodes);
      return true;
    },
    look: () => this.#look(),
    stop: async (): Promise<true> => {
      await this.#node.stop();
      return true;
    },
  };

  readonly #node: ClusterNode;
  readonly #bus: CuttableBus;

  constructor(node: ClusterNode, bus: CuttableBus) {
    this.#node = node;
    this.#bus = bus;
    void this.#watchNodes();
    void this.#watchNames();
    void this.#watchGroups();
  }

  async #serve(name: string): Promise<string> {
    const { names } = this.#node;
    const service = this.#node.spawn(async () => {
      const { meta } = await names.update(name, (before) => ({ orders: sales(before).orders + 1 }));
      return { by: this.#node.name, orders: sales(meta).orders } satisfies Reply;
    });
    void service.exited.then((reason) => {
      const winner =
        reason.kind === "nameClash" && reason.winner !== undefined ? placeOf(reason.winner) : undefined;
      saw({ kind: "serviceEnded", name, why: reason.kind, winner });
    });
    try {
      await names.register(name, service, { meta: { orders: 0 } });
    } catch (error) {
      service.exit();
      throw error;
    }
    return service.pid;
  }

  async #standBy(name: string): Promise<void> {
    for await (const event of this.#node.names.watch(name)) {
      // When it was taken over, or lost in a clash, somebody has it already.
      if (event.kind !== "unregistered" || this.#node.names.whereis(name) !== undefined) continue;
      await this.#serve(name).catch((error: unknown) => {
        // When somebody else was faster, this one goes on standing by, as it does after any other failure.
        if (!(error instanceof NameTakenError))
          saw({ kind: "log", level: "warn", text: `standing by: ${error}` });
      });
    }
  }

  #join(group: string): string {
    const member = this.#node.spawn((message) =>
      saw({ kind: "received", pid: member.pid, message: String(message) }),
    );
    this.#node.groups.join(group, member);
    return member.pid;
  }

  #look(): View {
    const { names, groups } = this.#node;
    return {
      nodes: Object.fromEntries(this.#node.nodes().map(({ name, state }) => [name, state])),
      names: Object.fromEntries(
        [...names.list()].map(({ name, node, meta }) => [
          name,
          { node: placeOf(node), orders: sales(meta).orders },
        ]),
      ),
      groups: Object.fromEntries(
        groups.list().map((group) => [
          group,
          groups
            .members(group)
            .map(({ node }) => placeOf(node))
            .sort(),
        ]),
      ),
    };
  }

  async #watchNodes(): Promise<void> {
    for await (const event of this.#node.watchNodes()) {
      if (event.kind === "up") saw({ kind: "nodeUp", node: event.node.name });
      if (event.kind === "suspect") saw({ kind: "nodeSuspect", node: event.node.name });
      if (event.kind === "down")
        saw({ kind: "nodeDown", node: event.node.name, why: wordsFor(event.reason) });
    }
  }

  async #watchNames(): Promise<void> {
    for await (const event of this.#node.names.watch()) {
      if (event.kind === "registered") {
        const { name, node } = event.registration;
        saw({ kind: "registered", name, node: placeOf(node) });
      } else if (event.kind === "unregistered") {
        const { name, node } = event.registration;
        saw({ kind: "unregistered", name, node: placeOf(node), why: wordsFor(event.reason) });
      } else if (event.kind === "clash") {
        const { keep } = event.verdict;
        saw({ kind: "clash", name: event.name, kept: keep === "none" ? undefined : placeOf(keep) });
      }
    }
  }

  async #watchGroups(): Promise<void> {
    for await (const event of this.#node.groups.watch()) {
      if (event.kind === "joined")
        saw({ kind: "joined", group: event.group, node: placeOf(event.member.node) });
      if (event.kind !== "left") continue;
      saw({
        kind: "left",
        group: event.group,
        node: placeOf(event.member.node),
        why: wordsFor(event.reason),
      });
    }
  }
}

function wordsFor(reason: ExitReason | { readonly kind: "released" | "takenOver" }): string {
  return reason.kind === "nodeDown" ? `${reason.kind}, ${reason.cause}` : reason.kind;
}

/** A node or pid, as the reader of the story knows it. */
function placeOf(address: string | undefined): string {
  return address === undefined ? "nobody" : nameOfNode(address as NodeId);
}

async function answer(node: DemoNode, request: Request): Promise<void> {
  const handle = node.handlers[request.kind] as (asks: Request) => unknown;
  try {
    tell({ kind: "answer", id: request.id, value: await handle(request) });
  } catch (error) {
    const code = error instanceof RollcallError ? error.code : "UNEXPECTED";
    tell({ kind: "refusal", id: request.id, code, text: String(error) });
  }
  if (request.kind === "stop") process.exit(0);
}

function logTo(level: string) {
  return (details: object, message: string): void =>
    saw({ kind: "log", level, text: `${message} ${JSON.stringify(details)}` });
}

async function start(setup: NodeSetup): Promise<void> {
  const bus = cuttable("port" in setup.bus ? embeddedBus(setup.bus) : natsBus(setup.bus));
  const node = await startNode({
    cluster: setup.cluster,
    name: setup.name,
    bus,
    resolve: keepTheBusiest,
    logger: { debug() {}, info() {}, warn: logTo("warn"), error: logTo("error") },
  });
  const demoNode = new DemoNode(node, bus);
  process.on("message", (request) => void answer(demoNode, request as Request));
  tell({ kind: "ready" });
}

// A node never outlives the teller, not even one that was killed: the channel between them closes then.
process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches every process of a terminal; the teller stops its nodes in good order.
process.on("SIGINT", () => {});
process.once("message", (setup) => {
  start(setup as NodeSetup).catch((error: unknown) => tell({ kind: "failed", text: String(error) }));
});
