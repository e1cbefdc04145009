import { MAX_TOKEN } from "../limits.ts";
import type {
  AcquireItem,
  AcquireResult,
  ConfirmItem,
  ConfirmResult,
  ReadResult,
  ReleaseItem,
  ReleaseResult,
  SessionId,
} from "../requests.ts";
import type { ServerData } from "./data.ts";

/** Gives the vote of a name, if it is free and nobody came earlier; takes a place in its queue, if asked to. */
export function acquire(data: ServerData, session: SessionId, item: AcquireItem): AcquireResult {
  const { name, claim, proposal, value, ticket } = item;
  const vote = data.liveVote(name);
  const isOwn = vote?.session === session && vote.claim === claim;
  if (ticket !== undefined && !isOwn) data.queueToEnter(name).enter(session, claim, ticket);
  const queue = data.queue(name);
  const place = queue?.place(session, claim) ?? { ticket: undefined, ahead: 0 };
  if (vote !== undefined && !isOwn) {
    return { kind: "held", vote, leftMs: data.leftMs(vote.session), ...place };
  }
  // Who comes when it is first in line is served, even if it has let its reservation run out.
  const isFirst = isOwn || (place.ticket !== undefined && place.ahead === 0);
  const turn = isFirst ? undefined : queue?.turn(data.seenMs);
  if (
    queue !== undefined &&
    turn !== undefined &&
    !(turn.waiter.session === session && turn.waiter.claim === claim)
  ) {
    return {
      kind: "reserved",
      next: turn.waiter.session,
      leftMs: turn.leftMs,
      ...queue.place(session, claim),
    };
  }
  const token = Math.max(proposal, data.bound(name) + 1);
  if (token > MAX_TOKEN) return { kind: "exhausted" };
  data.tidyQueue(name);
  data.setVote(name, { session, claim, token, value });
  return { kind: "granted", token };
}

/** Stores the token with a vote that was given. */
export function confirm(data: ServerData, session: SessionId, item: ConfirmItem): ConfirmResult {
  const vote = data.liveVote(item.name);
  if (vote?.session !== session || vote.claim !== item.claim) return { kind: "lost" };
  if (item.token > vote.token) data.setVote(item.name, { ...vote, token: item.token });
  return { kind: "stored" };
}

/** Gives the vote to who holds the name already. */
export function attach(data: ServerData, session: SessionId, item: ConfirmItem): ConfirmResult {
  const { name, claim, token, value } = item;
  const vote = data.liveVote(name);
  if (vote !== undefined && (vote.session !== session || vote.claim !== claim)) return { kind: "lost" };
  data.setVote(name, { session, claim, token, value });
  return { kind: "stored" };
}

/** Takes the vote back, and says whose turn it is then. */
export function release(data: ServerData, session: SessionId, item: ReleaseItem): ReleaseResult {
  const { name, claim, leave } = item;
  const vote = data.liveVote(name);
  if (vote?.session === session && vote.claim === claim) data.deleteVote(name);
  const queue = data.queue(name);
  if (leave) queue?.leave(session, claim);
  const next = data.liveVote(name) === undefined ? queue?.turn(data.seenMs)?.waiter.session : undefined;
  data.tidyQueue(name);
  return { next };
}

/** Who has the vote? */
export function read(data: ServerData, name: string): ReadResult {
  const vote = data.liveVote(name);
  if (vote === undefined) return { kind: "none" };
  return { kind: "vote", vote, leftMs: data.leftMs(vote.session) };
}
