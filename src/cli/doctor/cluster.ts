import { startNode } from "../../index.ts";
import { realClock } from "../../node/real-clock.ts";
import { anyAborted } from "../any-aborted.ts";
import type { Environment } from "../environment.ts";
import { leaseTtlOf, openLeases } from "../leases.ts";
import { busOf } from "../open-node.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";

/** How long the start of a node may take, that of the leases behind it, and how long to listen to the others. */
const JOIN_MS = 10_000;
const LEASES_MS = 4_000;
const LISTEN_MS = 1_500;
const LOOK_EVERY_MS = 20;

/**
 * Joins the cluster as any node does, and hears what the library itself has to say: which permissions it misses, what it finds
 * wrong with lease servers, and who else is there.
 *
 * @param withLeases not where nobody has used them yet: the first to come settles for all how they are used
 */
export async function checkCluster(
  environment: Environment,
  name: string | undefined,
  withLeases: boolean,
  interrupted: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const hear = (details: object, message: string): void => {
    findings.push(findingOf(details as Readonly<Record<string, unknown>>, message));
  };
  const { secrets } = environment;
  const late = new AbortController();
  const cancel = realClock.after(JOIN_MS, () =>
    late.abort(new Error(`the node had not joined after ${JOIN_MS / 1_000} s`)),
  );
  try {
    await using node = await startNode({
      cluster: environment.cluster,
      name,
      bus: busOf(environment),
      leases: withLeases ? await openLeases(environment, true) : undefined,
      secret: secrets.length === 0 ? undefined : secrets,
      logger: { debug: () => undefined, info: () => undefined, warn: hear, error: hear },
      signal: anyAborted(late.signal, interrupted),
    });
    cancel();
    const { leases } = node.stats();
    if (withLeases) {
      await until(() => node.stats().leases.reached === leases.servers, LEASES_MS);
      // Servers that nobody has used for a while keep out for a ttl: that is health, too.
      await until(() => node.stats().leases.reached >= leases.needed, leaseTtlOf(environment) + LEASES_MS);
    }
    // Frames of those who cannot talk to us, if there are any.
    await until(() => false, LISTEN_MS);
    const { cluster, frames, leases: reach } = node.stats();
    const others = node.nodes().filter(({ id }) => id !== node.id);
    findings.push(
      ...judgeOthers(others, JSON.stringify(environment.cluster)),
      ...judgeFrames(frames.dropped, cluster["stampsRefused"] ?? 0),
      ...(withLeases ? [judgeReach(reach)] : []),
    );
  } catch (error) {
    findings.push(fail("cluster", `a node cannot join: ${messageOf(error)}`, "see what is said of the bus"));
  } finally {
    cancel();
  }
  return findings;
}

function findingOf(details: Readonly<Record<string, unknown>>, message: string): Finding {
  const bus = details["bus"];
  if (typeof bus === "string") {
    return bus.includes("permissions")
      ? fail(
          "permissions",
          bus,
          "give this user the permissions of docs/architecture.md, for the name of its node (--node)",
        )
      : warn("bus", bus, "see the log of the NATS server");
  }
  const warning = details["warning"];
  if (typeof warning === "string") {
    const [what = warning, ...remedies] = warning.split("; ");
    const server = typeof details["server"] === "string" ? `${details["server"]}: ` : "";
    return warn(
      "leases",
      `${server}${what}`,
      remedies.join("; ") || "docs/redis.md and docs/jetstream.md tell more",
    );
  }
  return warn("cluster", `${message} ${JSON.stringify(details)}`, "it is what every node would log here");
}

function judgeOthers(
  others: readonly { readonly name: string; readonly state: string }[],
  cluster: string,
): readonly Finding[] {
  const suspects = others.filter(({ state }) => state === "suspect").map(({ name }) => name);
  if (others.length === 0) {
    return [
      warn(
        "cluster",
        `no other node of cluster ${cluster} is there`,
        "if there should be one, compare ROLLCALL_CLUSTER, ROLLCALL_SECRET and NATS_URL with its",
      ),
    ];
  }
  return [
    ok("cluster", `joined cluster ${cluster}: ${others.map(({ name }) => name).join(", ")}`),
    ...(suspects.length === 0
      ? []
      : [warn("cluster", `silent for a while: ${suspects.join(", ")}`, "see whether their programs hang")]),
  ];
}

function judgeFrames(
  dropped: { readonly mac: number; readonly version: number },
  stampsRefused: number,
): readonly Finding[] {
  return [
    ...(dropped.mac === 0
      ? []
      : [
          fail(
            "secret",
            `${dropped.mac} frames of nodes with another secret, or with none where this one has one`,
            "give all nodes of the cluster the same ROLLCALL_SECRET; README.md says how to change it",
          ),
        ]),
    ...(dropped.version === 0
      ? []
      : [
          warn("cluster", `${dropped.version} frames of another protocol version`, "upgrade the older nodes"),
        ]),
    stampsRefused === 0
      ? skipped(
          "clocks",
          "other nodes do not tell their time; only one that is over 60 s ahead would have shown",
        )
      : fail(
          "clocks",
          `${stampsRefused} frames were stamped more than 60 s ahead of this machine's calendar`,
          "run a time service on all machines",
        ),
  ];
}

function judgeReach({
  needed,
  reached,
  servers,
}: {
  needed: number;
  reached: number;
  servers: number;
}): Finding {
  const what = `${reached} of ${servers} lease servers take part, ${needed} are needed`;
  if (reached >= needed) return ok("leases", what);
  return fail(
    "leases",
    what,
    "see what is said of each; those that were just started, or that nobody used for a ttl, keep out for another",
  );
}

async function until(holds: () => boolean, withinMs: number): Promise<void> {
  const endMs = realClock.now().monotonicMs + withinMs;
  while (!holds() && realClock.now().monotonicMs < endMs) {
    await new Promise<void>((resolve) => {
      realClock.after(LOOK_EVERY_MS, resolve);
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
