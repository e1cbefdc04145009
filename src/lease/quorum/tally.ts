import { ownerOf, type Vote } from "../requests.ts";

/** What servers said about one name, counted. Votes of one holder have one claim and one token, in whatever sessions they were given. */
export interface Tally {
  /** The vote that most servers told of. */
  readonly leading: Vote | undefined;
  readonly votes: number;
}

export function tallyOf(votes: Iterable<Vote>): Tally {
  const counts = new Map<string, { readonly vote: Vote; votes: number }>();
  let best: { readonly vote: Vote; votes: number } | undefined;
  for (const vote of votes) {
    const key = `${ownerOf(vote.session)} ${vote.claim} ${vote.token}`;
    const count = counts.get(key) ?? { vote, votes: 0 };
    count.votes += 1;
    counts.set(key, count);
    if (best === undefined || count.votes > best.votes) best = count;
  }
  return { leading: best?.vote, votes: best?.votes ?? 0 };
}
