import {
  CAIRO,
  callService,
  DELHI,
  NORTH,
  OSLO,
  PERTH,
  SILENCE_MS,
  SOON_MS,
  SOUTH,
  SURVIVORS,
} from "./cast.ts";
import { contenders, holderMissing, membersMissing, nodesMissing, only, since } from "./claims.ts";
import type { SeenBy, Stage } from "./stage.ts";

export async function partition(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.scene("The network is partitioned: oslo, cairo | delhi, perth.");
  narrator.says("There is one bus, so the nodes do it: each drops what the other side sent, on arrival,");
  narrator.says("unread. Nobody is told of it. To either side the other has fallen silent.");
  const cutAtMs = stage.now();
  await cutBetween(stage, NORTH, SOUTH);
  narrator.strikes("cut; now silence has to count: 8 s by default (deadAfterMs)");
  await stage.verify(
    "each side sees itself alone, and nothing of the other in its tables",
    SILENCE_MS,
    (views) => [
      ...nodesMissing(only(views, NORTH), NORTH),
      ...nodesMissing(only(views, SOUTH), SOUTH),
      ...membersMissing(only(views, NORTH), [CAIRO]),
      ...membersMissing(only(views, SOUTH), [DELHI, PERTH, PERTH]),
      ...holderMissing(only(views, NORTH), "billing", undefined),
      ...holderMissing(only(views, SOUTH), "search", undefined),
    ],
    () => {
      for (const { by, atMs, sighting } of stage.seen("nodeDown", cutAtMs)) {
        narrator.saw(
          atMs,
          `${by}: ${sighting.node} is down (${sighting.why}), ${since(cutAtMs, atMs, "cut")}`,
        );
      }
    },
  );
  narrator.says('both sides go on. In the north "billing" is free: cairo registers it as well');
  await stage.member(CAIRO).ask("serve", { name: "billing" });
  await stage.verify(
    '"billing" is held twice: by cairo in the north, by delhi in the south',
    SOON_MS,
    (views) => [
      ...holderMissing(only(views, NORTH), "billing", CAIRO),
      ...holderMissing(only(views, SOUTH), "billing", DELHI),
    ],
  );
  for (let order = 0; order < 3; order += 1) await stage.member(OSLO).ask("call", { name: "billing" });
  await stage.member(PERTH).ask("call", { name: "billing" });
  narrator.says("oslo calls cairo's three times, perth calls delhi's once");
  await stage.verify("the orders are on the account of each: 3 for cairo, 2 for delhi", SOON_MS, (views) => [
    ...holderMissing(only(views, NORTH), "billing", CAIRO, 3),
    ...holderMissing(only(views, SOUTH), "billing", DELHI, 2),
  ]);
}

export async function heal(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.scene("It heals, and the name clash is decided by a resolver of the user's.");
  narrator.says("Its rule, here: whoever has more orders keeps the name, and all the orders.");
  const healedAtMs = stage.now();
  await cutBetween(stage, [], []);
  narrator.says("healed");
  await stage.verify("all four see each other again, and all members of the group", SILENCE_MS, (views) => [
    ...nodesMissing(views, SURVIVORS),
    ...membersMissing(views, [CAIRO, DELHI, PERTH, PERTH]),
    ...holderMissing(views, "search", CAIRO),
  ]);
  await stage.verify(
    "the resolver ran once, in the whole cluster",
    SOON_MS,
    () => {
      const runs = stage.seen("resolving", healedAtMs).map(({ by }) => by);
      return runs.length === 1 ? [] : [`one run; it ran ${runs.length} times: ${runs.join(", ")}`];
    },
    () => {
      for (const { by, atMs, sighting } of stage.seen("resolving", healedAtMs)) {
        const clash = `${contenders(sighting.contenders)}: it kept ${sighting.kept}'s`;
        narrator.saw(atMs, `${by} ran it, ${since(healedAtMs, atMs, "heal")}. ${clash}`);
      }
    },
  );
  await stage.verify(
    "the loser, delhi's service, was told why it ended; nobody else did",
    SOON_MS,
    () => {
      const losers = endedByClash(stage, healedAtMs)
        .map(({ by, sighting }) => `${by} to ${sighting.winner}`)
        .join(", ");
      return losers === "delhi to cairo" ? [] : [`delhi to lose to cairo; lost: ${losers}`];
    },
    () => {
      for (const { by, atMs, sighting } of endedByClash(stage, healedAtMs)) {
        narrator.saw(atMs, `${by}: its service ended, reason ${sighting.why}, winner ${sighting.winner}`);
      }
    },
  );
  await stage.verify('all four agree: "billing" is cairo\'s, with 5 orders', SOON_MS, (views) =>
    holderMissing(views, "billing", CAIRO, 5),
  );
  await callService(stage, PERTH, "billing", CAIRO);
}

function endedByClash(stage: Stage, sinceMs: number): readonly SeenBy<"serviceEnded">[] {
  return stage.seen("serviceEnded", sinceMs).filter(({ sighting }) => sighting.why === "nameClash");
}

async function cutBetween(stage: Stage, left: readonly string[], right: readonly string[]): Promise<void> {
  await Promise.all(
    stage.alive.map((member) => {
      const nodes = left.includes(member.name) ? right : right.includes(member.name) ? left : [];
      return member.ask("cutOff", { nodes });
    }),
  );
}
