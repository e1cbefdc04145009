import type { Bus, BusConnection, BusConnectOptions, BusStatus } from "../bus/port.ts";
import type { Clock } from "../kernel/clock.ts";
import { InvariantError, TimeoutError } from "../kernel/errors.ts";
import { makeIncarnation, makeNodeId, type NodeId } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import { RunningNode } from "./running-node.ts";
import { DEFAULT_SCOPE } from "./scope-set.ts";
import type { NodeSettings } from "./settings.ts";
import { Shell } from "./shell.ts";
import type { ClusterNode } from "./types.ts";

/** What a node finds outside: the real thing in production, a simulated one in tests. */
export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  /** The name of the machine. */
  readonly host: string;
  readonly bus: Bus;
}

const SUFFIX_CHARS = 6;
const LONGEST_HOST = 100;

/** Starts a node in a given environment. `startNode` is this in the real one. */
export async function launch(settings: NodeSettings, environment: Environment): Promise<ClusterNode> {
  const shell = await launchShell(settings, environment);
  const scope = shell.parts.scopes.get(DEFAULT_SCOPE);
  if (scope === undefined) throw new InvariantError("a node that has started has the default scope open");
  const node = new RunningNode(shell, settings.cluster, scope);
  const { signal } = settings;
  const onAbort = (): void => void node.stop();
  signal?.addEventListener("abort", onAbort, { once: true });
  void node.closed.then(() => signal?.removeEventListener("abort", onAbort));
  if (signal?.aborted === true) onAbort();
  return node;
}

/** A started node, as it is inside. */
export async function launchShell(settings: NodeSettings, environment: Environment): Promise<Shell> {
  const { clock, random } = environment;
  const { signal } = settings;
  const { startMs } = settings.limits;
  signal?.throwIfAborted();
  const name = settings.name ?? makeName(environment.host, random);
  const id = makeNodeId(name, makeIncarnation(clock.now().wallMs, [random.u32(), random.u32()]));
  const beganAtMs = clock.now().monotonicMs;
  const callbacks = new LateCallbacks();
  const connection = await connect(environment, id, callbacks, startMs, signal);
  const shell = new Shell({ id, settings, clock, random, connection });
  callbacks.attach(shell);
  const spentMs = clock.now().monotonicMs - beganAtMs;
  await shell.start({ operation: "startNode", timeoutMs: Math.max(1, startMs - spentMs), signal });
  return shell;
}

async function connect(
  environment: Environment,
  id: NodeId,
  callbacks: LateCallbacks,
  startMs: number,
  signal: AbortSignal | undefined,
): Promise<BusConnection> {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const cancel = environment.clock.after(startMs, () =>
    controller.abort(new TimeoutError("startNode", startMs)),
  );
  try {
    return await environment.bus.connect({
      clientName: id,
      clock: environment.clock,
      random: environment.random.fork("bus"),
      signal: controller.signal,
      onMessage: callbacks.onMessage,
      onNoResponders: callbacks.onNoResponders,
      onStatus: callbacks.onStatus,
    });
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

type Callbacks = Pick<BusConnectOptions, "onMessage" | "onNoResponders" | "onStatus">;

/** A connection wants its callbacks before there can be anybody to take them. */
class LateCallbacks {
  #target: Callbacks | undefined;
  /** What happened to the connection before somebody took it over. Nothing is subscribed to by then, so nothing else did. */
  readonly #early: BusStatus[] = [];

  attach(target: Callbacks): void {
    this.#target = target;
    for (const status of this.#early) target.onStatus(status);
  }

  readonly onMessage = (subject: string, data: Uint8Array): void => this.#target?.onMessage(subject, data);

  readonly onNoResponders = (subject: string): void => this.#target?.onNoResponders(subject);

  readonly onStatus = (status: BusStatus): void => {
    if (this.#target === undefined) this.#early.push(status);
    else this.#target.onStatus(status);
  };
}

/** The machine's name, as far as it can be one of a node, and something to tell several nodes on it apart. */
function makeName(host: string, random: Random): string {
  const clean =
    host
      .replace(/[^A-Za-z0-9._-]/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, LONGEST_HOST) || "node";
  return `${clean}-${random.u32().toString(36).padStart(7, "0").slice(-SUFFIX_CHARS)}`;
}
