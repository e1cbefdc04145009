import { parseRedisAddress, type RedisAddress } from "../../lease/redis/address.ts";
import { majorityOf } from "../../lease/settings.ts";
import { realClock } from "../../node/real-clock.ts";
import type { Environment } from "../environment.ts";
import { leaseKindOf } from "../leases.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";

/** How long a server may take to answer. */
const ANSWER_MS = 3_000;
/** Calendars that differ by more make it worth a look; stamps that are so far ahead are refused by nodes. */
const CLOCK_WARN_MS = 1_000;
const CLOCK_FAIL_MS = 60_000;

/** What one server said. */
export interface RedisSeen {
  readonly address: string;
  /** Undefined: it does not answer, and `error` says why. */
  readonly info: string | undefined;
  readonly error?: string;
  /** What is wrong with it for leases, and what to do; undefined: nothing. */
  readonly refusal?: string | undefined;
  /** How far its calendar is ahead of this machine's, and how exactly that is known. */
  readonly clock?: { readonly aheadMs: number; readonly withinMs: number } | undefined;
  /** What this store has left there. `lost`: it must learn from others how high tokens have been. */
  readonly state: "none" | "kept" | "lost";
}

export interface RedisReport {
  readonly findings: readonly Finding[];
  /** Nodes have kept leases there. To take part changes nothing then; as the first to come it would. */
  readonly isUsed: boolean;
}

/** Looks at the lease servers, each by itself, and writes nothing. */
export async function checkRedis(environment: Environment): Promise<RedisReport> {
  if (leaseKindOf(environment) !== "redis" || environment.redis === undefined)
    return { findings: [], isUsed: false };
  const addresses = environment.redis.map(parseRedisAddress).filter((address) => address !== undefined);
  const namespace = environment.leaseNamespace ?? "default";
  const seen = await Promise.all(addresses.map((address) => look(address, `rollcall:{${namespace}}:state`)));
  return judgeRedis(seen);
}

export function judgeRedis(seen: readonly RedisSeen[]): RedisReport {
  const needed = majorityOf(seen.length);
  const answering = seen.filter(({ info }) => info !== undefined);
  const kept = seen.filter(({ state }) => state === "kept").length;
  return {
    findings: [
      ...seen.flatMap((server) => judgeOne(server, answering.length >= needed)),
      ...sameProcesses(answering),
      ...judgeStates(seen, needed),
      ...judgeClocks(answering),
      ...(seen.length === 1
        ? [
            warn(
              "leases",
              "strict names depend on a single Redis server",
              "give three that know nothing of each other, if they are to survive the loss of one",
            ),
          ]
        : []),
    ],
    isUsed: kept >= needed,
  };
}

function judgeOne(
  { address, error, info, refusal }: RedisSeen,
  isMajorityThere: boolean,
): readonly Finding[] {
  if (info === undefined) {
    const what = `Redis ${address} does not answer: ${error ?? "no reason given"}`;
    const remedy = "start it, or mend its address or password in REDIS_URLS, or the way there";
    return [isMajorityThere ? warn("leases", what, remedy) : fail("leases", what, remedy)];
  }
  if (refusal !== undefined) {
    const [what = refusal, ...remedies] = refusal.split("; ");
    return [
      fail(
        "leases",
        `Redis ${address}: ${what}`,
        remedies.join("; ") || "docs/redis.md says what servers need",
      ),
    ];
  }
  const replicas = Number(fieldOf(info, "connected_slaves") ?? 0);
  const isSavingBroken =
    fieldOf(info, "rdb_last_bgsave_status") === "err" || fieldOf(info, "aof_last_write_status") === "err";
  return [
    ok("leases", `Redis ${address}, version ${fieldOf(info, "redis_version")}`),
    ...(replicas > 0
      ? [
          warn(
            "leases",
            `Redis ${address} has ${replicas} replicas: one that takes its place has older data`,
            "give servers without replicas, and let nothing fail them over",
          ),
        ]
      : []),
    ...(isSavingBroken
      ? [
          warn(
            "leases",
            `Redis ${address} cannot save to its disk, and may refuse writes because of that`,
            "mend the disk, or turn saving off: leases need none",
          ),
        ]
      : []),
  ];
}

function sameProcesses(answering: readonly RedisSeen[]): readonly Finding[] {
  const first = new Map<string, string>();
  return answering.flatMap(({ address, info }) => {
    const run = fieldOf(info, "run_id") ?? "";
    const other = first.get(run);
    first.set(run, other ?? address);
    if (run === "" || other === undefined) return [];
    return [
      fail(
        "leases",
        `Redis ${address} is the same process as ${other}`,
        "give each address a server of its own",
      ),
    ];
  });
}

/** Who has forgotten which tokens were given can be told by the others, as long as these are enough. */
function judgeStates(seen: readonly RedisSeen[], needed: number): readonly Finding[] {
  const answering = seen.filter(({ info }) => info !== undefined);
  const kept = answering.filter(({ state }) => state === "kept");
  const without = answering.filter(({ state }) => state !== "kept").map(({ address }) => address);
  if (answering.length === 0) return [];
  if (kept.length === 0 && answering.every(({ state }) => state === "none"))
    return [skipped("leases", "no node has kept leases there yet, so it was not tried to take part")];
  if (without.length === 0) return [];
  const what = `Redis ${without.join(", ")} ${without.length === 1 ? "has" : "have"} lost what was kept there, or came later`;
  if (kept.length > 0 && without.length > seen.length - needed) {
    return [
      fail(
        "leases",
        `${what}: too many, strict names stay closed`,
        "stop all nodes for a ttl, then start them with another ROLLCALL_LEASE_NAMESPACE (docs/redis.md)",
      ),
    ];
  }
  return [
    warn("leases", what, "nothing: it takes part again within a ttl of some node asking it; see why it was"),
  ];
}

function judgeClocks(answering: readonly RedisSeen[]): readonly Finding[] {
  return answering.flatMap(({ address, clock }) => {
    if (clock === undefined) return [];
    const { aheadMs, withinMs } = clock;
    const offMs = Math.max(0, Math.abs(aheadMs) - withinMs);
    const what = `the calendar of Redis ${address} is ${Math.abs(Math.round(aheadMs))} ms ${aheadMs < 0 ? "behind" : "ahead of"} this machine's (to ${Math.ceil(withinMs)} ms)`;
    const remedy = "run a time service on both machines, one that slews and does not step";
    if (offMs > CLOCK_FAIL_MS) return [fail("clocks", what, remedy)];
    return [offMs > CLOCK_WARN_MS ? warn("clocks", what, remedy) : ok("clocks", what)];
  });
}

export function fieldOf(info: string | undefined, field: string): string | undefined {
  return info?.match(new RegExp(`^${field}:(.*?)\\r?$`, "m"))?.[1];
}

async function look(address: RedisAddress, stateKey: string): Promise<RedisSeen> {
  // Only here and only now: its package is installed by those who use Redis, and by nobody else.
  const { RedisConnection } = await import("../../lease/redis/connection.ts");
  const { judge } = await import("../../lease/redis/greeting.ts");
  return new Promise<RedisSeen>((resolve) => {
    const settings = { address, tls: undefined, silentMs: ANSWER_MS };
    const connection = new RedisConnection(
      settings,
      () => {
        ask(connection, address, stateKey, judge)
          .then(resolve, (error: unknown) => resolve(silent(address, messageOf(error))))
          .finally(() => void connection.close());
      },
      (reason) => resolve(silent(address, reason)),
    );
  });
}

type Asked = { command(name: string, ...args: readonly (string | number)[]): Promise<unknown> };
type Judge = (info: string) => { readonly kind: string; readonly message?: string };

async function ask(
  connection: Asked,
  address: RedisAddress,
  stateKey: string,
  judge: Judge,
): Promise<RedisSeen> {
  const { database, password, text, user } = address;
  if (password !== undefined)
    await connection.command("AUTH", ...(user === undefined ? [] : [user]), password);
  if (database !== 0) await connection.command("SELECT", database);
  const info = String(await connection.command("INFO"));
  const before = realClock.now();
  const time = await connection.command("TIME");
  const after = realClock.now();
  const asked = ["configuration", "needsFloor", "run"];
  const answers = (await connection.command("HMGET", stateKey, ...asked)) as readonly unknown[];
  const [configuration, needsFloor, run] = answers.map((answer) =>
    answer == null ? undefined : String(answer),
  );
  const judged = judge(info);
  const tookMs = after.monotonicMs - before.monotonicMs;
  // It has been started again since a node asked it last, with data that may be older.
  const isOfBefore = run !== undefined && !run.startsWith(`${fieldOf(info, "run_id")}/`);
  return {
    address: text,
    info,
    refusal: judged.kind === "refused" ? judged.message : undefined,
    clock: { aheadMs: msOf(time) - (after.wallMs - tookMs / 2), withinMs: tookMs / 2 },
    state: needsFloor === "1" || isOfBefore ? "lost" : configuration === undefined ? "none" : "kept",
  };
}

/** Seconds and microseconds. */
function msOf(time: unknown): number {
  const [seconds, micros] = time as readonly unknown[];
  return Number(String(seconds)) * 1_000 + Number(String(micros)) / 1_000;
}

function silent(address: RedisAddress, error: string): RedisSeen {
  return { address: address.text, info: undefined, error, state: "none" };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
