import { z } from "zod";
import { type Channel, type ChannelContext, ok, refuse } from "./channels/index.ts";

/** What the audience can send up. */
export const EMOJI = ["👏", "❤️", "😂", "🤯", "🤔"] as const;

/** What is known of a visitor: which one it is. */
export type Visitor = { readonly id: string };

/** Everything that a visitor can do. All of it comes from outside, and nothing else is taken. */
const Name = z
  .string()
  .trim()
  .min(1)
  .max(24)
  .refine((name) => name.isWellFormed(), "a lone surrogate");
const Rating = z.number().min(0).max(10);
const Joining = z.object({ name: Name, rating: Rating.nullable() });
const Rate = z.object({ rating: Rating });
const Rename = z.object({ name: Name });
const Emoji = z.object({ emoji: z.enum(EMOJI) });

/** Emoji that one visitor may send in a row, and how long it takes until there is room for one more. */
const BURST = 12;
const REFILL_MS = 150;

/**
 * One talk. Who is there, under which name and with which rating, is presence: so it is the same on all nodes, the average is
 * whatever the ratings of those who are there come to, and what a visitor said goes with it. The server keeps nothing besides.
 */
export const talk: Channel<Visitor> = {
  presence: true,

  join(payload, context) {
    const joining = Joining.safeParse(payload);
    if (!joining.success) return refuse(z.prettifyError(joining.error));
    const { name, rating } = joining.data;
    buckets.set(context.process, new Bucket());
    context.presence.track(context.assigns.id, { name, rating, node: context.node.name });
    return ok({ node: context.node.name });
  },

  handleIn(event, payload, context) {
    switch (event) {
      case "rate": {
        const rate = Rate.safeParse(payload);
        return rate.success ? update(context, rate.data) : refuse(z.prettifyError(rate.error));
      }
      case "rename": {
        const rename = Rename.safeParse(payload);
        return rename.success ? update(context, rename.data) : refuse(z.prettifyError(rename.error));
      }
      case "emoji": {
        const emoji = Emoji.safeParse(payload);
        if (!emoji.success) return refuse(z.prettifyError(emoji.error));
        if (buckets.get(context.process)?.take() !== true) return refuse("slow down");
        context.broadcast("emoji", { emoji: emoji.data.emoji, from: context.assigns.id });
        return ok();
      }
      default:
        return refuse(`there is no ${event}`);
    }
  },
};

function update({ assigns, presence }: ChannelContext<Visitor>, change: object) {
  presence.update(assigns.id, (meta) => ({ ...meta, ...change }));
  return ok();
}

const buckets = new WeakMap<object, Bucket>();

/** So many at once, and then one now and then. */
class Bucket {
  #left = BURST;
  #atMs = performance.now();

  take(): boolean {
    const nowMs = performance.now();
    const gained = Math.floor((nowMs - this.#atMs) / REFILL_MS);
    this.#left = Math.min(BURST, this.#left + gained);
    this.#atMs += gained * REFILL_MS;
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }
}
