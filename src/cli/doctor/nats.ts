import { connect, type NatsConnection } from "nats";
import type { ServerAddress } from "../../bus/nats/address.ts";
import { checkNatsOptions } from "../../bus/nats/options.ts";
import { judgeVersion, warnOfVersion } from "../../lease/jetstream/stream.ts";
import { realClock } from "../../node/real-clock.ts";
import type { Environment } from "../environment.ts";
import { leaseKindOf } from "../leases.ts";
import { ANSWER_MS, greet, natsAddresses, replicasOf } from "../nats-servers.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";
import { isLoopback } from "./machine.ts";

/** What a message of `limits.messageBytes`, by default, needs with what is around it. */
const MESSAGE_BYTES = 512 * 1_024;
const AROUND_BYTES = 4_096;
const EMBEDDED_PORT = 4_229;

/** Whoever is to carry frames: each server of `NATS_URL` is greeted by itself. */
export async function checkBus(environment: Environment): Promise<readonly Finding[]> {
  const { busPort, nats } = environment;
  if (nats === undefined) {
    const what = `the embedded bus, port ${busPort ?? EMBEDDED_PORT}: for the nodes of this machine only`;
    return [warn("bus", what, "set NATS_URL if nodes are to be on several machines")];
  }
  const addresses = natsAddresses(environment);
  const greetings = await Promise.all(
    addresses.map(async (address) => ({ address, info: await greet(address) })),
  );
  const isSomeoneThere = greetings.some(({ info }) => typeof info !== "string");
  return greetings.flatMap(({ address, info }) => {
    if (typeof info !== "string") return judgeServer(address, info);
    const what = `NATS server ${address.text} cannot be reached: ${info}`;
    const remedy = "start it, or mend the address in NATS_URL, or the way there";
    return [isSomeoneThere ? warn("bus", what, remedy) : fail("bus", what, remedy)];
  });
}

/** By its greeting. A server that wants TLS gets it, also at nats://. */
export function judgeServer(
  { host, text: address, tls }: Pick<ServerAddress, "host" | "text" | "tls">,
  info: Readonly<Record<string, unknown>>,
): readonly Finding[] {
  const version = typeof info["version"] === "string" ? info["version"] : "";
  const old = judgeVersion(version);
  const payload = Number(info["max_payload"]);
  const needed = MESSAGE_BYTES + AROUND_BYTES;
  return [
    old === undefined
      ? ok("bus", `NATS server ${address}, version ${version}`)
      : warn("bus", `NATS server ${address}: ${old}`, "older ones have not been tried with Rollcall"),
    ...(tls || info["tls_required"] === true || isLoopback(host)
      ? []
      : [
          warn(
            "encryption",
            `the connection to NATS at ${address} is in the clear`,
            "enable TLS on the server, and write tls:// in place of nats://, unless the network itself is encrypted",
          ),
        ]),
    ...(payload >= needed
      ? []
      : [
          warn(
            "bus",
            `NATS server ${address} takes ${payload} bytes at once: larger messages are refused, limits.messageBytes is ${MESSAGE_BYTES}`,
            `set max_payload to ${needed} or more there`,
          ),
        ]),
  ];
}

/** What JetStream is like, where leases are to be kept there. */
export async function checkJetstream(
  environment: Environment,
): Promise<{ readonly findings: readonly Finding[]; readonly isUsed: boolean }> {
  if (environment.nats === undefined || leaseKindOf(environment) !== "jetstream")
    return { findings: [], isUsed: false };
  const replicas = await replicasOf(environment);
  let connection: NatsConnection;
  try {
    connection = await dial(environment);
  } catch (error) {
    return {
      findings: [skipped("leases", `JetStream was not looked at: ${messageOf(error)}`)],
      isUsed: false,
    };
  }
  try {
    const manager = await connection.jetstreamManager({ timeout: ANSWER_MS, checkAPI: false });
    await manager.getAccountInfo();
    const stream = `rollcall-lease-${environment.leaseNamespace ?? "default"}`;
    const isUsed = await manager.streams.info(stream).then(
      () => true,
      () => false,
    );
    const doubt = warnOfVersion(connection.info?.version ?? "", replicas);
    const findings = [
      ok("leases", `JetStream is enabled for this account${isUsed ? `, stream ${stream} is there` : ""}`),
      ...(doubt === undefined ? [] : [warn("leases", doubt, "docs/jetstream.md says what that comes to")]),
      ...(isUsed ? [] : [skipped("leases", `stream ${stream} is not there yet: the first node makes it`)]),
    ];
    return { findings, isUsed };
  } catch (error) {
    const what = `JetStream cannot be used: ${messageOf(error)}`;
    const remedy =
      environment.leases === undefined
        ? "enable it, or keep leases on Redis: set REDIS_URLS"
        : "enable it on the servers and for the account";
    // Nobody has asked for strict names so far.
    return {
      findings: [
        environment.leases === undefined
          ? skipped("leases", `${what}; for strict names ${remedy}`)
          : fail("leases", what, remedy),
      ],
      isUsed: false,
    };
  } finally {
    // One that hangs does not answer to that either.
    await Promise.race([connection.close(), after(ANSWER_MS)]);
  }
}

async function dial({ nats, natsCredentials }: Environment): Promise<NatsConnection> {
  const settings = checkNatsOptions({ servers: nats, credentialsFile: natsCredentials });
  return connect({
    servers: settings.servers.map(({ text }) => text),
    name: "rollcall doctor",
    reconnect: false,
    timeout: ANSWER_MS,
    ...(settings.authenticator === undefined ? {} : { authenticator: settings.authenticator }),
    ...(settings.tls === undefined ? {} : { tls: settings.tls }),
  });
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    realClock.after(ms, resolve);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
