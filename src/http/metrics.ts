import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ServiceParts } from "./context.ts";
import type { WebSockets } from "./websocket.ts";

const PREFIX = "rollcall_";

type Collect = () => number | Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;

/** What Prometheus is told: read from the node's own counts when it asks, so that counting costs nothing. */
export function createMetrics(parts: ServiceParts, webSockets: WebSockets, ofProcess: boolean): Registry {
  const registry = new Registry();
  // What it looks at belongs to the whole program, and it looks for as long as that runs.
  if (ofProcess) collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const gauge = (name: string, help: string, collect: Collect, ...labelNames: readonly string[]): void => {
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of valuesOf(collect)) this.set(labels, value);
      },
    });
  };
  const counter = (name: string, help: string, collect: Collect, ...labelNames: readonly string[]): void => {
    new Counter({
      name: `${PREFIX}${name}_total`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of valuesOf(collect)) this.inc(labels, value);
      },
    });
  };
  addTables(parts, gauge, counter);
  addTraffic(parts, gauge, counter);
  addLeases(parts, gauge, counter);
  addService(parts, webSockets, gauge, counter);
  return registry;
}

type Add = (name: string, help: string, collect: Collect, ...labelNames: readonly string[]) => void;

function valuesOf(collect: Collect): Iterable<readonly [Readonly<Record<string, string>>, number]> {
  const values = collect();
  return typeof values === "number" ? [[{}, values]] : values;
}

function addTables({ node, watching }: ServiceParts, gauge: Add, counter: Add): void {
  const scopes = [...watching.scopes];
  gauge(
    "nodes",
    "Nodes as this one sees them",
    () => [
      [{ state: "up" }, watching.nodes.count("up")],
      [{ state: "suspect" }, watching.nodes.count("suspect")],
    ],
    "state",
  );
  gauge(
    "names",
    "Names (available) in the whole cluster",
    () => scopes.map(([scope, { namesTable }]) => [{ scope }, namesTable.size]),
    "scope",
  );
  gauge(
    "groups",
    "Groups that have members",
    () => scopes.map(([scope, { groupsTable }]) => [{ scope }, groupsTable.groups]),
    "scope",
  );
  gauge(
    "group_members",
    "Memberships of all groups",
    () => scopes.map(([scope, { groupsTable }]) => [{ scope }, groupsTable.members]),
    "scope",
  );
  counter(
    "members_purged",
    "Memberships that ended otherwise than by leaving, by reason",
    () => happened(watching.counts, "groups left", "reason", ({ kind }) => kind !== "released"),
    "reason",
  );
  counter(
    "names_unregistered",
    "Names that lost their holder, by reason",
    () => happened(watching.counts, "names unregistered", "reason"),
    "reason",
  );
  counter(
    "nodes_down",
    "Nodes seen going down, by reason",
    () => happened(watching.counts, "nodes down", "reason"),
    "reason",
  );
  counter(
    "conflicts",
    "Name clashes whose verdict this node was told, by what became of the name",
    () => happened(watching.counts, "names clash", "outcome"),
    "outcome",
  );
  gauge(
    "event_loop_lag_seconds",
    "The longest that the event loop has stood still since the start",
    () => node.stats().worstStallMs / 1_000,
  );
}

function* happened(
  counts: ReadonlyMap<string, number>,
  what: string,
  label: string,
  isCounted: (of: { readonly kind: string }) => boolean = () => true,
): Iterable<readonly [Readonly<Record<string, string>>, number]> {
  for (const [key, count] of counts) {
    if (!key.startsWith(`${what} `)) continue;
    const kind = key.slice(what.length + 1);
    if (isCounted({ kind })) yield [{ [label]: kind }, count];
  }
}

function addTraffic({ node }: ServiceParts, gauge: Add, counter: Add): void {
  counter(
    "frames",
    "Frames of the bus",
    () => {
      const { received, sent } = node.stats().frames;
      return [
        [{ direction: "in" }, received],
        [{ direction: "out" }, sent],
      ];
    },
    "direction",
  );
  counter(
    "frame_bytes",
    "Bytes of frames of the bus",
    () => {
      const { bytesReceived, bytesSent } = node.stats().frames;
      return [
        [{ direction: "in" }, bytesReceived],
        [{ direction: "out" }, bytesSent],
      ];
    },
    "direction",
  );
  counter(
    "frames_dropped",
    "Frames that were not let in, by cause",
    () => Object.entries(node.stats().frames.dropped).map(([cause, count]) => [{ cause }, count]),
    "cause",
  );
  counter(
    "messages",
    "Messages, by what became of them",
    () => Object.entries(node.stats().messages).map(([outcome, count]) => [{ outcome }, count]),
    "outcome",
  );
  gauge("outbound_bytes", "Bytes that the bus has not confirmed", () => node.stats().outbound.queuedBytes);
  gauge("processes", "Processes of this node", () => node.stats().processes);
  gauge("mailbox_messages", "Messages that wait in mailboxes of this node", () => node.stats().mailboxes);
  counter("bus_reconnects", "Reconnects of the bus", () => node.stats().reconnects);
  counter("resyncs", "Readers of watches that fell behind", () => node.stats().resyncs);
  counter("bugs", "Broken rules of the library: please report it", () => node.stats().bugs);
}

function addLeases({ node }: ServiceParts, gauge: Add, counter: Add): void {
  gauge(
    "lease_servers",
    "Lease servers, and how many of them take part or are needed",
    () => {
      const { needed, reached, servers } = node.stats().leases;
      return [
        [{ which: "configured" }, servers],
        [{ which: "reached" }, reached],
        [{ which: "needed" }, needed],
      ];
    },
    "which",
  );
  gauge("leases_held", "Strict names that processes of this node hold", () => node.stats().leases.held);
  gauge(
    "lease_waiters",
    "Registrations of strict names that stand in line",
    () => node.stats().leases.waiting,
  );
  counter("lease_granted", "Leases granted", () => node.stats().leases.granted);
  counter("lease_lost", "Leases that could not be proven any more", () => node.stats().leases.lost);
  counter(
    "lease_no_quorum",
    "Registrations and lookups that did not reach a majority",
    () => node.stats().leases.noQuorum,
  );
}

function addService(parts: ServiceParts, webSockets: WebSockets, gauge: Add, counter: Add): void {
  const { counts, operations, sessions, watching } = parts;
  gauge("http_sessions", "Open sessions", () => sessions.size);
  counter("http_sessions_opened", "Sessions opened", () => sessions.opened);
  gauge("http_session_events", "Events that wait for the clients of sessions", () => sessions.waiting);
  gauge("http_websockets", "Open WebSockets", () => webSockets.size);
  gauge("http_watchers", "Open streams of watchers", () => watching.watchers);
  gauge("http_waits", "Requests that wait for the cluster", () => operations.waits);
  counter(
    "http_requests",
    "Requests answered, by status",
    () => Array.from(counts.requests, ([status, count]) => [{ status: String(status) }, count]),
    "status",
  );
  counter(
    "http_problems",
    "Problems told, by code",
    () => Array.from(counts.problems, ([code, count]) => [{ code }, count]),
    "code",
  );
}
