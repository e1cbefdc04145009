import {
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "nats";

/** What is found when a connection begins. */
export type Greeting =
  | { readonly kind: "ready"; readonly info: StreamInfo; readonly warnings: readonly string[] }
  /** Not now. Mostly an operator has to do something: the message says what. */
  | { readonly kind: "refused"; readonly message: string };

export interface StreamPlan {
  readonly stream: string;
  readonly subjects: string;
  readonly replicas: number;
}

export function planOf(bucket: string, replicas: number): StreamPlan {
  return { stream: `rollcall-lease-${bucket}`, subjects: `rollcall-lease.${bucket}.>`, replicas };
}

/** Consumers that are kept in memory on one server, and may say when they are alive, came with it. */
const OLDEST_VERSION = [2, 9] as const;

const STREAM_NOT_FOUND = 10_059;

const ONE_REPLICA =
  "the log of leases is on one server only: while that is down nobody gets or keeps a strict name; with replicas: 3 another takes over";

/** In it copies of a stream have been seen to differ when its leader was cut off under load. */
const FORKING_VERSION = /^2\.9\./;

/** @returns what an operator should know of it, although it is used */
export function warnOfVersion(version: string, replicas: number): string | undefined {
  if (replicas === 1 || !FORKING_VERSION.test(version)) return undefined;
  return `it is nats-server ${version}: if the leader of the stream is cut off from the others, its copies may differ, and a strict name may have two holders until that is noticed; upgrade it, or use replicas: 1, or rollcall/redis`;
}

/** @param version as the server tells it */
export function judgeVersion(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  const name = version === "" ? "of no known version" : version;
  return `it is nats-server ${name}; upgrade it to ${OLDEST_VERSION.join(".")} or newer`;
}

/** Looks for the stream, makes it if it is not there, and looks whether it keeps what it is given. */
export async function findStream(manager: JetStreamManager, plan: StreamPlan): Promise<Greeting> {
  try {
    const info = await manager.streams.info(plan.stream).catch((error: unknown) => {
      if (codeOf(error) !== STREAM_NOT_FOUND) throw error;
      return manager.streams.add(configOf(plan));
    });
    const fault = judgeStream(info.config, plan);
    if (fault !== undefined) return { kind: "refused", message: `stream ${plan.stream} ${fault}` };
    return { kind: "ready", info, warnings: plan.replicas === 1 ? [ONE_REPLICA] : [] };
  } catch (error) {
    return { kind: "refused", message: explain(error, plan) };
  }
}

function configOf({ replicas, stream, subjects }: StreamPlan): Partial<StreamConfig> {
  return {
    name: stream,
    subjects: [subjects],
    description: "Leases of rollcall. Nothing else may write here; see docs/jetstream.md",
    num_replicas: replicas,
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    // Full is an error. With the other policy the beginning of the log would go, and nobody would be told.
    discard: DiscardPolicy.New,
    max_age: 0,
    deny_delete: true,
    allow_direct: false,
    duplicate_window: nanos(1_000),
  };
}

/** @returns what is wrong with it, and what to do */
export function judgeStream(config: StreamConfig, plan: StreamPlan): string | undefined {
  const remake = "delete it when all nodes have been stopped, and it is made anew, or use another bucket";
  if (config.subjects.length !== 1 || config.subjects[0] !== plan.subjects) {
    return `takes the subjects ${config.subjects.join(", ")}, not ${plan.subjects}; ${remake}`;
  }
  if (config.num_replicas !== plan.replicas) {
    const asked = `and replicas: ${plan.replicas} is asked for`;
    return `has ${config.num_replicas} replicas, ${asked}; give every node the same, or edit the stream`;
  }
  if (config.retention !== RetentionPolicy.Limits) return `has the retention ${config.retention}; ${remake}`;
  if (config.discard !== DiscardPolicy.New) {
    return `drops its beginning when it is full; edit it to discard: new`;
  }
  if (config.max_age > 0) return `forgets by age; edit it to max_age: 0`;
  if (config.max_msgs_per_subject > 0)
    return `keeps ${config.max_msgs_per_subject} messages of a subject; ${remake}`;
  if (config.storage !== StorageType.File && plan.replicas === 1) {
    return `is kept in memory on one server, and would be lost at its restart; ${remake}`;
  }
  return undefined;
}

function explain(error: unknown, { replicas, stream }: StreamPlan): string {
  const said = error instanceof Error ? error.message : String(error);
  switch (codeOf(error)) {
    case 503:
    case 10_039:
    case 10_076:
      return `JetStream cannot be used there now: ${said}; enable it on the servers and in the account, and see that a majority of them is up`;
    case 10_074:
      return `it cannot have ${replicas} replicas: ${said}; use a cluster of so many NATS servers, or replicas: 1`;
    case 10_005:
      return `there are too few servers for ${replicas} replicas: ${said}; start them all, or give fewer replicas`;
    case 10_008:
      return `JetStream has no leader now: ${said}; it is tried until a majority of its servers is up`;
    case 10_058:
      return `there is a stream ${stream} made by somebody else: ${said}; use another bucket`;
    case 10_065:
      return `another stream takes the subjects of ${stream}: ${said}; use another bucket`;
    default:
      return `stream ${stream} cannot be looked at: ${said}; see that a majority of its servers is up, and that the permissions are those of docs/jetstream.md`;
  }
}

/** The more exact one of the two that JetStream has for most errors. */
export function codeOf(error: unknown): number | undefined {
  if (!(error instanceof NatsError)) return undefined;
  const { api_error } = error;
  return api_error?.err_code ?? api_error?.code ?? (error.code === "503" ? 503 : undefined);
}
