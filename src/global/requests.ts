import { type NodeId, nodeOfPid } from "../kernel/ids.ts";
import { ANSWERS_KEPT, DOWN_NODES_KEPT, RETRY_MS } from "./limits.ts";
import type { Command, Outcome, RequestMessage } from "./messages.ts";
import type { Owner } from "./owner.ts";
import type { Task } from "./owner-port.ts";

export interface RequestsPort {
  readonly self: NodeId;
  readonly scope: string;
  /** Whether this node is about to stop: drained, or stopping. */
  isLeaving(): boolean;
  send(to: NodeId, message: RequestMessage): void;
}

/** Asked of another node, not answered yet. */
interface Asked {
  readonly to: NodeId;
  readonly command: Command;
  readonly done: (outcome: Outcome) => void;
  askedAtMs: number;
}

/** Asked by another node. */
interface Serving {
  readonly name: string;
  task: Task | undefined;
  outcome: Outcome | undefined;
  /** A registration that this request began, or asked for once more. */
  registered: number | undefined;
}

/** What one node asked. Apart, so that however much is under way, the oldest answer is found at once. */
interface Served {
  readonly running: Map<number, Serving>;
  readonly answered: Map<number, Serving>;
}

/**
 * Commands that cross nodes: asked of the node that owns the process, again until it answers, and carried out there once
 * however often they arrive.
 */
export class Requests {
  readonly #port: RequestsPort;
  readonly #owner: Owner;
  readonly #asked = new Map<number, Asked>();
  /** Given up, and not known to be withdrawn yet. */
  readonly #abandoned = new Map<number, { readonly to: NodeId; saidAtMs: number }>();
  /** The same, at nodes that are down: told to them should they come back. */
  readonly #abandonedAtDown = new Map<NodeId, readonly number[]>();
  readonly #serving = new Map<NodeId, Served>();
  /** Nodes that are down, with what was registered for them. */
  readonly #servedToDown = new Map<NodeId, Served>();
  #last = 0;

  constructor(port: RequestsPort, owner: Owner) {
    this.#port = port;
    this.#owner = owner;
  }

  get size(): number {
    return this.#asked.size;
  }

  /**
   * Returns what gives the request up. The other node is told until it confirms: who gives up has often lost its connection,
   * and what it says then is lost, while its question has long arrived.
   */
  ask(to: NodeId, command: Command, nowMs: number, done: (outcome: Outcome) => void): () => void {
    this.#last += 1;
    const request = this.#last;
    const asked: Asked = { to, command, done, askedAtMs: nowMs };
    this.#asked.set(request, asked);
    this.#send(request, asked);
    return () => {
      this.#asked.delete(request);
      this.#abandoned.set(request, { to, saidAtMs: asked.askedAtMs });
      this.#port.send(to, { kind: "requestAbandoned", scope: this.#port.scope, request });
    };
  }

  message(from: NodeId, message: RequestMessage): void {
    switch (message.kind) {
      case "request":
        this.#serve(from, message.request, message.command);
        return;
      case "response": {
        const asked = this.#asked.get(message.request);
        if (asked === undefined || asked.to !== from) return;
        this.#asked.delete(message.request);
        asked.done(message.outcome);
        return;
      }
      case "requestAbandoned":
        this.#abandon(from, message.request);
        this.#port.send(from, {
          kind: "requestWithdrawn",
          scope: this.#port.scope,
          request: message.request,
        });
        return;
      case "requestWithdrawn":
        if (this.#abandoned.get(message.request)?.to === from) this.#abandoned.delete(message.request);
        return;
    }
  }

  /** 1. A caller gives up while the nodes cannot reach each other. 2. Each declares the other down. 3. They meet again. */
  peerUp(node: NodeId): void {
    for (const request of this.#abandonedAtDown.get(node) ?? [])
      this.#abandoned.set(request, { to: node, saidAtMs: Number.NEGATIVE_INFINITY });
    this.#abandonedAtDown.delete(node);
    const served = this.#servedToDown.get(node);
    if (served !== undefined) this.#serving.set(node, served);
    this.#servedToDown.delete(node);
  }

  peerDown(node: NodeId): void {
    const abandoned: number[] = [];
    for (const [request, { to }] of this.#abandoned) {
      if (to !== node) continue;
      this.#abandoned.delete(request);
      abandoned.push(request);
    }
    for (const [request, asked] of [...this.#asked]) {
      if (asked.to !== node) continue;
      this.#asked.delete(request);
      // The caller is told that it failed: it must not turn out to stand.
      if (asked.command.kind === "register") abandoned.push(request);
      asked.done({ kind: "nodeDown", node, leaving: undefined });
    }
    if (abandoned.length > 0) keepFew(this.#abandonedAtDown, node, abandoned.slice(-ANSWERS_KEPT));
    const served = this.#serving.get(node);
    if (served === undefined) return;
    this.#serving.delete(node);
    for (const serving of served.running.values()) {
      if (serving.task !== undefined) this.#owner.cancel(serving.task);
    }
    const registered = [...served.answered].filter(([, serving]) => serving.registered !== undefined);
    if (registered.length > 0)
      keepFew(this.#servedToDown, node, { running: new Map(), answered: new Map(registered) });
  }

  tick(nowMs: number): void {
    for (const [request, asked] of this.#asked) {
      if (nowMs - asked.askedAtMs < RETRY_MS) continue;
      asked.askedAtMs = nowMs;
      this.#send(request, asked);
    }
    for (const [request, abandoned] of this.#abandoned) {
      if (nowMs - abandoned.saidAtMs < RETRY_MS) continue;
      abandoned.saidAtMs = nowMs;
      this.#port.send(abandoned.to, { kind: "requestAbandoned", scope: this.#port.scope, request });
    }
  }

  #send(request: number, asked: Asked): void {
    this.#port.send(asked.to, { kind: "request", scope: this.#port.scope, request, command: asked.command });
  }

  #serve(from: NodeId, request: number, command: Command): void {
    const served = this.#servedFor(from);
    if (served.running.has(request)) return;
    const answered = served.answered.get(request);
    if (answered?.outcome !== undefined) {
      this.#respond(from, request, answered.outcome);
      return;
    }
    const serving: Serving = {
      name: command.name,
      task: undefined,
      outcome: undefined,
      registered: undefined,
    };
    served.running.set(request, serving);
    if (!this.#isOurs(command)) {
      this.#finish(from, request, serving, { kind: "noSuchProcess" });
      return;
    }
    if (this.#port.isLeaving() && this.#isNewHere(command)) {
      this.#finish(from, request, serving, { kind: "nodeDown", node: this.#port.self, leaving: true });
      return;
    }
    const task = this.#owner.execute(command, 0, (outcome) => {
      serving.task = undefined;
      // Not a transfer: it is done, and whom the name was taken from cannot be given it back.
      if (outcome.kind === "registered" && command.kind === "register") serving.registered = outcome.id;
      this.#finish(from, request, serving, outcome);
    });
    if (serving.outcome === undefined) serving.task = task;
  }

  /** A process can only be registered where it lives. */
  #isOurs(command: Command): boolean {
    return (
      (command.kind !== "register" && command.kind !== "adopt") || nodeOfPid(command.pid) === this.#port.self
    );
  }

  /** Whether it would give a name to a process of this node. What they have can still be changed, and given away. */
  #isNewHere(command: Command): boolean {
    const { self } = this.#port;
    return (
      command.kind === "register" ||
      command.kind === "adopt" ||
      (command.kind === "transfer" && nodeOfPid(command.to) === self)
    );
  }

  #finish(from: NodeId, request: number, serving: Serving, outcome: Outcome): void {
    this.#keepAnswer(from, request, serving, outcome);
    this.#respond(from, request, outcome);
  }

  #respond(to: NodeId, request: number, outcome: Outcome): void {
    this.#port.send(to, { kind: "response", scope: this.#port.scope, request, outcome });
  }

  /** 1. The answer is on its way. 2. The caller's time is up. 3. It got a name it does not know of: give it back. */
  #abandon(from: NodeId, request: number): void {
    const served = this.#servedFor(from);
    const serving = served.running.get(request) ?? served.answered.get(request);
    if (serving === undefined) {
      // Abandoned before it arrived: remembered, so that a late copy is not carried out.
      const never: Serving = { name: "", task: undefined, outcome: undefined, registered: undefined };
      this.#keepAnswer(from, request, never, { kind: "noSuchName" });
      return;
    }
    if (serving.task !== undefined) {
      this.#owner.cancel(serving.task);
      serving.task = undefined;
      this.#keepAnswer(from, request, serving, { kind: "noSuchName" });
    } else if (serving.registered !== undefined) {
      this.#owner.giveBack(serving.name, serving.registered);
      serving.registered = undefined;
    }
  }

  #keepAnswer(from: NodeId, request: number, serving: Serving, outcome: Outcome): void {
    const { running, answered } = this.#servedFor(from);
    serving.outcome = outcome;
    running.delete(request);
    answered.set(request, serving);
    if (answered.size <= ANSWERS_KEPT) return;
    for (const oldest of answered.keys()) {
      answered.delete(oldest);
      return;
    }
  }

  #servedFor(from: NodeId): Served {
    let served = this.#serving.get(from);
    if (served === undefined) {
      served = { running: new Map(), answered: new Map() };
      this.#serving.set(from, served);
    }
    return served;
  }
}

function keepFew<T>(byNode: Map<NodeId, T>, node: NodeId, value: T): void {
  byNode.set(node, value);
  if (byNode.size <= DOWN_NODES_KEPT) return;
  for (const first of byNode.keys()) {
    byNode.delete(first);
    return;
  }
}
