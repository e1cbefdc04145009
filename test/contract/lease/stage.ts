import { expect } from "vitest";
import type { LeaseStore } from "../../../src/lease/port.ts";
import type { LeaseReply } from "../../../src/lease/requests.ts";
import { LeasePeer } from "../../support/lease-peer.ts";
import { Member } from "./member.ts";

/** What the suite needs of a store: servers that were never used, and have been running for longer than a `ttlMs`. */
export interface LeaseHarness extends AsyncDisposable {
  readonly store: LeaseStore;
  /** The same servers, for somebody with another configuration. */
  readonly otherwise: LeaseStore;
  /** Lets so much time pass by the servers' clocks. Real servers: waits. */
  pass(ms: number): Promise<void>;
  /** Connections to one server break, and cannot be made until `heal`. */
  cut(server: number): void | Promise<void>;
  heal(server: number): void | Promise<void>;
  /** Stores that cannot forget have none of these, and no guard. They may break connections, which are made again. */
  readonly losing?: {
    restart(server: number, data: "kept" | "lost"): void | Promise<void>;
    /** Deletes everything, and the server runs on. */
    wipe(server: number): void | Promise<void>;
  };
}

/** What each test is given. */
export interface Stage {
  readonly harness: LeaseHarness;
  readonly ttlMs: number;
  peer(name: string): Promise<LeasePeer>;
  /** A session on server 0, which is ready. */
  member(name: string): Promise<Member>;
  status(): Promise<LeaseReply>;
  /** Lets time pass in steps, and looks at the server at each, so that it does not seem to have stood still. */
  pass(ms: number, keeping?: readonly Member[]): Promise<void>;
}

export const SERVER = 0;

export type Get = () => Stage;

export async function makeStage(harness: LeaseHarness): Promise<Stage & AsyncDisposable> {
  const { store } = harness;
  const { ttlMs } = store.settings;
  const peers: LeasePeer[] = [];
  const peer = async (name: string): Promise<LeasePeer> => {
    const made = new LeasePeer(store, name);
    peers.push(made);
    await made.connected(SERVER);
    return made;
  };
  const operator = await peer("operator");
  const status = (): Promise<LeaseReply> => operator.askAgain(SERVER, { kind: "status" });
  return {
    harness,
    ttlMs,
    peer,
    status,
    async member(name) {
      const first = await status();
      if (first.kind === "guarded") {
        const { guard } = first;
        await operator.ask(SERVER, { kind: "recover", guard, floor: 100, first: true });
      }
      const member = new Member(await peer(name), SERVER);
      expect(await member.open()).toMatchObject({ kind: "kept" });
      return member;
    },
    async pass(ms, keeping = []) {
      const step = ttlMs / 4;
      for (let left = ms; left > 0; left -= step) {
        await harness.pass(Math.min(step, left));
        await Promise.all([status(), ...keeping.map((member) => member.renew())]);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(peers.map((each) => each.close()));
      await harness[Symbol.asyncDispose]();
    },
  };
}
