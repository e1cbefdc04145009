import type { NodeId } from "../kernel/ids.ts";
import { PARKED_CLAIMS, RETRY_MS } from "./limits.ts";
import type { ClaimMessage } from "./messages.ts";
import { type EntryRef, pidOf, sameRegistration } from "./name-entry.ts";
import type { Superseded } from "./name-ops.ts";
import type { NameTable } from "./name-table.ts";

/** One node's wish to write a registration of a name. */
export interface Claim {
  readonly from: NodeId;
  readonly claim: number;
  readonly name: string;
  readonly takeover: boolean;
  readonly expect: EntryRef | undefined;
  /** What the claimer sees under the name. It is over, or this node has not read of it yet. */
  readonly seen: readonly EntryRef[];
}

export interface ArbiterPort {
  readonly self: NodeId;
  readonly scope: string;
  readonly table: NameTable;
  readonly arbiterTimeoutMs: number;
  positionOf(owner: NodeId): number;
  isGone(node: NodeId): boolean;
  send(to: NodeId, message: ClaimMessage): void;
  /** An answer to a claim of this very node: taken note of after the present call. */
  answerSelf(message: ClaimMessage): void;
  /** Whether a claim of this very node is still open. */
  isOpen(claim: number): boolean;
}

/** What one name waits for. Exists only while something is granted or parked. */
interface Docket {
  granted: Claim | undefined;
  /** When the grant was given, or its claimer last said that the claim is open. */
  grantedAtMs: number;
  readonly parked: Claim[];
  /** Asked of the owner of what stands in the way. */
  asked:
    | {
        readonly owner: NodeId;
        readonly id: number;
        readonly claim: number;
        atMs: number;
        readonly sinceMs: number;
      }
    | undefined;
  /** The log that has to be applied up to here first. Then what stands in the way is gone, as its owner said, or what is to be handed over is known. */
  awaited: { readonly owner: NodeId; readonly position: number; readonly sinceMs: number } | undefined;
}

/**
 * Gives out names, one claim at a time. A grant lasts until the registration it was for is applied here, or its claimer gives
 * it back or is down: never by a timer, because a slow claimer would then write beside its successor. A claim for a name
 * that somebody seems to hold is refused only on the word of that holder's own node: the release may be under way.
 */
export class Arbiter {
  readonly #port: ArbiterPort;
  readonly #dockets = new Map<string, Docket>();
  /** The names that wait for a log to be applied further. */
  readonly #awaiting = new Set<string>();
  #parked = 0;

  constructor(port: ArbiterPort) {
    this.#port = port;
  }

  /** Names with a grant or a waiting claim. */
  get size(): number {
    return this.#dockets.size;
  }

  ask(claim: Claim, nowMs: number): void {
    const docket = this.#docket(claim.name);
    const granted = docket.granted;
    if (granted !== undefined && sameClaim(granted, claim)) {
      this.#grant(docket, claim);
      return;
    }
    const place = docket.parked.findIndex((waiting) => sameClaim(waiting, claim));
    if (place >= 0) {
      // What the claimer saw may have gone down since with its node, which this one, when it is new, has never met.
      docket.parked[place] = claim;
    } else {
      if (this.#parked >= PARKED_CLAIMS) {
        this.#close(claim.name, docket);
        return;
      }
      docket.parked.push(claim);
      this.#parked += 1;
    }
    this.#review(claim.name, docket, nowMs);
    // While what it waits for does not answer either, it is told nothing: it then goes on to the next arbiter in time.
    const waiting = docket.asked ?? docket.awaited;
    const blocked = waiting !== undefined && nowMs - waiting.sinceMs > 2 * RETRY_MS;
    if (!blocked && docket.parked.some((waiting) => sameClaim(waiting, claim))) {
      this.#answer(claim.from, { kind: "parked", scope: this.#port.scope, claim: claim.claim });
    }
  }

  /** The claimer does not want it any more. */
  release(from: NodeId, claim: number, name: string, nowMs: number): void {
    const docket = this.#dockets.get(name);
    if (docket === undefined) return;
    if (docket.granted?.from === from && docket.granted.claim === claim) docket.granted = undefined;
    this.#unpark(docket, (waiting) => waiting.from === from && waiting.claim === claim);
    this.#review(name, docket, nowMs);
  }

  /** A registration was applied. It may be gone again by the time the name is reviewed, so its grant ends here. */
  written(owner: NodeId, name: string, claim: number): void {
    const docket = this.#dockets.get(name);
    if (docket?.granted?.from !== owner || docket.granted.claim !== claim) return;
    docket.granted = undefined;
    // Those that waited behind it are refused on what was just applied: it stood while they asked.
    this.#refuseAll(docket, name);
  }

  /** The table changed under this name: what was in the way may be gone. */
  nameTouched(name: string, nowMs: number): void {
    const docket = this.#dockets.get(name);
    if (docket !== undefined) this.#review(name, docket, nowMs);
  }

  confirmed(from: NodeId, message: Extract<ClaimMessage, { kind: "confirmed" }>, nowMs: number): void {
    const docket = this.#dockets.get(message.name);
    const asked = docket?.asked;
    if (docket === undefined || asked === undefined) return;
    if (asked.owner !== from || asked.id !== message.id || asked.claim !== message.claim) return;
    docket.asked = undefined;
    if (!message.stands) {
      this.#await(message.name, docket, { owner: from, position: message.position, sinceMs: nowMs });
      if (this.#port.positionOf(from) >= message.position) this.#arrived(message.name, docket, nowMs);
    } else {
      if (message.claim === 0) this.#refuseAll(docket, message.name);
      else docket.grantedAtMs = nowMs;
      this.#review(message.name, docket, nowMs);
    }
  }

  /** The log of `owner` is applied further. */
  advanced(owner: NodeId, position: number, nowMs: number): void {
    for (const name of this.#awaiting) {
      const docket = this.#dockets.get(name);
      const awaited = docket?.awaited;
      if (docket === undefined || awaited === undefined) this.#awaiting.delete(name);
      else if (awaited.owner === owner && position >= awaited.position) this.#arrived(name, docket, nowMs);
    }
  }

  /** Called after the table has been purged of the node. */
  peerDown(node: NodeId, nowMs: number): void {
    for (const [name, docket] of [...this.#dockets]) {
      if (docket.granted?.from === node) docket.granted = undefined;
      if (docket.asked?.owner === node) docket.asked = undefined;
      if (docket.awaited?.owner === node) docket.awaited = undefined;
      this.#unpark(docket, (waiting) => waiting.from === node);
      this.#review(name, docket, nowMs);
    }
  }

  tick(nowMs: number): void {
    if (this.#dockets.size === 0) return;
    for (const [name, docket] of [...this.#dockets]) {
      const asked = docket.asked;
      if (asked === undefined) {
        this.#doubtGrant(name, docket, nowMs);
      } else if (asked.claim === 0 && nowMs - asked.sinceMs >= this.#port.arbiterTimeoutMs) {
        // Its owner hangs. What it registered stands until it is down; nobody is kept waiting for that.
        docket.asked = undefined;
        this.#refuseAll(docket, name);
        this.#review(name, docket, nowMs);
      } else if (nowMs - asked.atMs >= RETRY_MS) {
        asked.atMs = nowMs;
        this.#sendConfirm(name, asked);
      }
    }
  }

  /** That it was given back may have been lost. Nobody may come to ask about this name again: it would be kept for ever. */
  #doubtGrant(name: string, docket: Docket, nowMs: number): void {
    const { granted, grantedAtMs } = docket;
    if (granted === undefined || nowMs - grantedAtMs < this.#port.arbiterTimeoutMs) return;
    this.#askOwner(name, docket, granted.from, 0, granted.claim, nowMs);
    this.#close(name, docket);
  }

  #await(name: string, docket: Docket, awaited: NonNullable<Docket["awaited"]>): void {
    docket.awaited = awaited;
    this.#awaiting.add(name);
  }

  #arrived(name: string, docket: Docket, nowMs: number): void {
    const awaited = docket.awaited;
    docket.awaited = undefined;
    this.#awaiting.delete(name);
    // The claimer said that it is over with that claim, and all it wrote before saying so is applied here.
    if (awaited !== undefined && docket.granted?.from === awaited.owner) docket.granted = undefined;
    this.#review(name, docket, nowMs);
  }

  /** Grants, refuses or goes on waiting, for whoever is first. */
  #review(name: string, docket: Docket, nowMs: number): void {
    for (;;) {
      const first = docket.parked[0];
      if (first === undefined) break;
      if (docket.granted !== undefined) {
        this.#askOwner(name, docket, docket.granted.from, 0, docket.granted.claim, nowMs);
        break;
      }
      const visible = this.#port.table.visible(name);
      const [holder] = visible;
      const ahead = this.#ahead(first);
      if (first.takeover ? this.#mayTake(first, visible) : holder === undefined && ahead === undefined) {
        this.#unpark(docket, (waiting) => waiting === first);
        docket.granted = first;
        docket.grantedAtMs = nowMs;
        this.#grant(docket, first);
        continue;
      }
      if (ahead !== undefined && (first.takeover || holder === undefined)) {
        if (docket.awaited?.owner !== ahead.owner || docket.awaited.position !== ahead.id) {
          this.#await(name, docket, { owner: ahead.owner, position: ahead.id, sinceMs: nowMs });
        }
        break;
      }
      if (first.takeover || holder === undefined || holder.owner === this.#port.self) {
        this.#refuse(first, name);
        this.#unpark(docket, (waiting) => waiting === first);
        continue;
      }
      this.#askOwner(name, docket, holder.owner, holder.id, 0, nowMs);
      break;
    }
    this.#close(name, docket);
  }

  /**
   * A registration that the claimer knows of and this node has not read of: it has just joined, or sides are meeting, and it
   * may not even know the owner. To give the name out now would be to take it from whoever holds it.
   */
  #ahead(claim: Claim): EntryRef | undefined {
    const known = claim.takeover ? (claim.expect === undefined ? [] : [claim.expect]) : claim.seen;
    return known.find(({ owner, id }) => !this.#port.isGone(owner) && this.#port.positionOf(owner) < id);
  }

  #mayTake(claim: Claim, visible: readonly EntryRef[]): boolean {
    const expected = claim.expect;
    return expected === undefined || visible.some((entry) => sameRegistration(entry, expected));
  }

  #askOwner(name: string, docket: Docket, owner: NodeId, id: number, claim: number, nowMs: number): void {
    if (owner === this.#port.self) {
      if (claim !== 0 && !this.#port.isOpen(claim)) docket.granted = undefined;
      return;
    }
    if (docket.awaited?.owner === owner) return;
    const asked = docket.asked;
    if (asked !== undefined && asked.owner === owner && asked.id === id && asked.claim === claim) return;
    docket.asked = { owner, id, claim, atMs: nowMs, sinceMs: nowMs };
    // A fresh grant needs no question: its registration is on the way. Asked only when it takes long.
    if (claim === 0) this.#sendConfirm(name, docket.asked);
  }

  #sendConfirm(name: string, asked: { owner: NodeId; id: number; claim: number }): void {
    this.#port.send(asked.owner, {
      kind: "confirm",
      scope: this.#port.scope,
      name,
      id: asked.id,
      claim: asked.claim,
    });
  }

  #grant(docket: Docket, claim: Claim): void {
    docket.asked = undefined;
    docket.awaited = undefined;
    const { table } = this.#port;
    const taken = table
      .visible(claim.name)
      .map(({ owner, id }) => ({ owner, id, how: "takenOver" as const }));
    const current: Superseded[] = [...taken, ...table.supersededUnder(claim.name)];
    for (const { owner, id } of table.endedUnder(claim.name)) {
      if (owner !== claim.from) current.push({ owner, id, how: "ended" });
    }
    this.#answer(claim.from, {
      kind: "granted",
      scope: this.#port.scope,
      claim: claim.claim,
      name: claim.name,
      current,
    });
  }

  #refuseAll(docket: Docket, name: string): void {
    for (const waiting of docket.parked) {
      if (!waiting.takeover) this.#refuse(waiting, name);
    }
    this.#unpark(docket, (waiting) => !waiting.takeover);
  }

  #refuse(claim: Claim, name: string): void {
    const holder = this.#port.table.holder(name);
    this.#answer(claim.from, {
      kind: "refused",
      scope: this.#port.scope,
      claim: claim.claim,
      holder: holder === undefined ? undefined : pidOf(holder),
    });
  }

  #answer(to: NodeId, message: ClaimMessage): void {
    if (to === this.#port.self) this.#port.answerSelf(message);
    else this.#port.send(to, message);
  }

  #unpark(docket: Docket, leaves: (claim: Claim) => boolean): void {
    for (let index = docket.parked.length - 1; index >= 0; index -= 1) {
      if (!leaves(docket.parked[index] as Claim)) continue;
      docket.parked.splice(index, 1);
      this.#parked -= 1;
    }
  }

  #docket(name: string): Docket {
    let docket = this.#dockets.get(name);
    if (docket === undefined) {
      docket = { granted: undefined, grantedAtMs: 0, parked: [], asked: undefined, awaited: undefined };
      this.#dockets.set(name, docket);
    }
    return docket;
  }

  #close(name: string, docket: Docket): void {
    if (docket.granted !== undefined || docket.parked.length > 0) return;
    this.#dockets.delete(name);
    this.#awaiting.delete(name);
  }
}

function sameClaim(left: Claim, right: Claim): boolean {
  return left.from === right.from && left.claim === right.claim;
}
