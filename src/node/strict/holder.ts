import { bytes, defineMessages, pid as pidField } from "../../bus/wire-schema.ts";
import { type NodeId, nodeOfPid, type Pid } from "../../kernel/ids.ts";
import { MalformedError } from "../../kernel/malformed.ts";
import { showMeta } from "../../kernel/shown-meta.ts";
import { Value } from "../../kernel/value.ts";
import { ownerOf, type Vote } from "../../lease/requests.ts";
import type { StrictHolder } from "./types.ts";

/** What lease servers keep with a vote, for whoever asks who holds the name. */
const votes = defineMessages({ holder: [1, { pid: pidField, meta: bytes }] });

export function encodeHolder(pid: Pid, meta: Value): Uint8Array {
  return votes.encode({ kind: "holder", pid, meta: meta.bytes });
}

/**
 * The holder that a vote tells of.
 *
 * @throws MalformedError when somebody else than a node has written it
 */
export function readHolder(vote: Pick<Vote, "session" | "token" | "value">): StrictHolder {
  const [told] = votes.decodeAll(vote.value);
  if (told === undefined) throw new MalformedError("a vote that tells of no holder");
  if (nodeOfPid(told.pid) !== ownerOf(vote.session)) {
    throw new MalformedError(`a vote of ${ownerOf(vote.session)} for ${told.pid}`);
  }
  return makeHolder(told.pid, vote.token, Value.fromBytes(told.meta).kept());
}

export function makeHolder(pid: Pid, token: number, meta: Value): StrictHolder {
  const node: NodeId = nodeOfPid(pid);
  return showMeta({ pid, node, token: BigInt(token), meta: undefined }, meta);
}
