import type { LeaseStore } from "../../src/lease/port.ts";
import type { LeaseReply } from "../../src/lease/requests.ts";
import { type RedisLeasesOptions, redisLeases } from "../../src/redis.ts";
import { Member } from "../contract/lease/member.ts";
import { eventually } from "../support/eventually.ts";
import { LeasePeer } from "../support/lease-peer.ts";
import { RedisServer, type RedisServerOptions } from "../support/redis-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const SERVER = 0;

/** Servers, proxies and peers of one test. Everything ends with it, last things first. */
export class RedisStage implements AsyncDisposable {
  readonly #owned: AsyncDisposable[] = [];

  async server(options?: RedisServerOptions): Promise<RedisServer> {
    return this.#own(await RedisServer.start(options));
  }

  async proxy(port: number, ownPort?: number): Promise<TcpProxy> {
    return this.#own(await TcpProxy.start(port, ownPort));
  }

  peer(store: LeaseStore, name = "a"): LeasePeer {
    const peer = new LeasePeer(store, name);
    this.#own({ [Symbol.asyncDispose]: () => peer.close() });
    return peer;
  }

  /** A peer of a store on these servers, which are expected to be refused: what it is told. */
  async warningOf(urls: string | readonly string[], options?: RedisLeasesOptions): Promise<string> {
    const peer = this.peer(redisLeases(urls, options));
    await eventually(() => peer.warnings.length > 0, { withinMs: 10_000 });
    if (peer.isConnected(SERVER)) throw new Error(`it was taken, with a warning: ${peer.warnings[0]}`);
    return peer.warnings[0] ?? "";
  }

  /** A session on server 0, which is opened for its first use if need be. */
  async member(store: LeaseStore, name = "a"): Promise<Member> {
    const peer = this.peer(store, name);
    const status = await peer.askAgain(SERVER, { kind: "status" });
    if (status.kind === "guarded") {
      await peer.ask(SERVER, { kind: "recover", guard: status.guard, floor: 100, first: true });
    }
    const member = new Member(peer, SERVER);
    const reply = await member.open();
    if (reply.kind !== "kept") throw new Error(`no session: ${JSON.stringify(reply)}`);
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#owned.reverse()) await each[Symbol.asyncDispose]();
  }

  #own<T extends AsyncDisposable>(owned: T): T {
    this.#owned.push(owned);
    return owned;
  }
}

export async function guardOf(peer: LeasePeer): Promise<Extract<LeaseReply, { kind: "guarded" }>> {
  const status = await peer.askAgain(SERVER, { kind: "status" });
  if (status.kind !== "guarded") throw new Error(`it should keep out, and is ${status.kind}`);
  return status;
}

/** How often the server has carried the script out since `CONFIG RESETSTAT`. */
export async function runsOf(server: RedisServer): Promise<number> {
  const stats = String(await server.ask("INFO", "commandstats"));
  return ["evalsha", "eval"]
    .map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0))
    .reduce((sum, calls) => sum + calls, 0);
}
