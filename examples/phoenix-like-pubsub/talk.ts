import { z } from "zod";
import { Allowances } from "./allowances.ts";
import type { Allowance } from "./bucket.ts";
import { type Channel, type ChannelContext, ok, refuse } from "./channels/index.ts";
import { VisitorName } from "./visitor-name.ts";

/** The topic. There is one talk: if visitors named it, each could open as many as they like. */
export const TALK = "talk:main";

/** What the audience can send up. */
export const EMOJI = ["👏", "❤️", "😂", "🤯", "🤔"] as const;

/** What is known of a visitor: which one it is. */
export type Visitor = { readonly id: string };

/** Everything that a visitor can do. All of it comes from outside, and nothing else is taken. */
const Rating = z.number().min(0).max(10);
const Joining = z.object({ name: VisitorName, rating: Rating.nullable() });
const Rate = z.object({ rating: Rating });
const Rename = z.object({ name: VisitorName });
const Emoji = z.object({ emoji: z.enum(EMOJI) });

/** How much of it one visitor can do at one node: everybody else is told of each. */
export const ALLOWANCES = {
  // Reloads, copies of the tab, and the client's own new attempts, which come less often the longer it takes.
  join: { burst: 10, refillMs: 1_000 },
  // The page says where its slider stands at most ten times a second, for as long as it is moved.
  rate: { burst: 20, refillMs: 80 },
  rename: { burst: 5, refillMs: 1_000 },
  emoji: { burst: 12, refillMs: 150 },
} as const satisfies Record<string, Allowance>;

type Input = keyof typeof ALLOWANCES;

/** The page knows this reason. */
export const SLOW_DOWN = "slow down";

/**
 * One talk. Who is there, under which name and with which rating, is presence: so it is the same on all nodes, the average is
 * whatever the ratings of those who are there come to, and what a visitor said goes with it. The server keeps nothing besides.
 *
 * @param nowMs any clock that does not go back, in milliseconds
 */
export function talkChannel(nowMs: () => number): Channel<Visitor> {
  // By visitor: if each join had some of its own, who leaves and joins again would never run out.
  const allowances = new Allowances<Input>(ALLOWANCES);
  const mayDo = (input: Input, { assigns }: ChannelContext<Visitor>): boolean =>
    allowances.take(assigns.id, input, nowMs());
  return {
    presence: true,

    join(payload, context) {
      const joining = Joining.safeParse(payload);
      if (!joining.success) return refuse(reasonOf(joining.error));
      if (!mayDo("join", context)) return refuse(SLOW_DOWN);
      const { name, rating } = joining.data;
      const node = context.node.name;
      context.presence.track(context.assigns.id, { name, rating, node, revision: nextRevision(context) });
      return ok({ node, name });
    },

    handleIn(event, payload, context) {
      switch (event) {
        case "rate": {
          const rate = Rate.safeParse(payload);
          if (!rate.success) return refuse(reasonOf(rate.error));
          if (!mayDo("rate", context)) return refuse(SLOW_DOWN);
          return update(context, rate.data);
        }
        case "rename": {
          const rename = Rename.safeParse(payload);
          if (!rename.success) return refuse(reasonOf(rename.error));
          if (!mayDo("rename", context)) return refuse(SLOW_DOWN);
          return update(context, rename.data);
        }
        case "emoji": {
          const emoji = Emoji.safeParse(payload);
          if (!emoji.success) return refuse(reasonOf(emoji.error));
          if (!mayDo("emoji", context)) return refuse(SLOW_DOWN);
          context.broadcast("emoji", { emoji: emoji.data.emoji, from: context.assigns.id });
          return ok();
        }
        default:
          return refuse(`there is no ${event}`);
      }
    },
  };
}

function update(context: ChannelContext<Visitor>, change: object) {
  const revision = nextRevision(context);
  context.presence.update(context.assigns.id, (meta) => ({ ...meta, ...change, revision }));
  return ok(change);
}

/**
 * One visitor may be there twice: in two tabs, or where they were and where they have moved to. Which of the two spoke last, no
 * order of processes and no two clocks can tell; so each statement says that it comes after all that its node knows of.
 */
function nextRevision({ assigns, presence }: ChannelContext<Visitor>): number {
  const known = presence.getByKey(assigns.id).map(({ revision }) => revision);
  return 1 + Math.max(0, ...known.filter((revision) => typeof revision === "number"));
}

/** The first thing that is wrong, and with what. The page tells its visitor. */
function reasonOf({ issues: [issue] }: z.ZodError) {
  return { reason: issue?.message ?? "something else", field: issue?.path[0] };
}
