import { CAIRO, CAST, callService, DELHI, LIMA, OSLO, PERTH, SOON_MS } from "./cast.ts";
import { holderMissing, membersMissing, nodesMissing } from "./claims.ts";
import { killOne, killTheBus } from "./crash-scenes.ts";
import { Refusal } from "./member-process.ts";
import { heal, partition } from "./partition-scenes.ts";
import type { NodeSetup } from "./protocol.ts";
import type { Stage } from "./stage.ts";

/** The whole story. Rejects with `StepFailed` at the first step that did not happen. */
export async function tellStory(stage: Stage, setup: Omit<NodeSetup, "name">): Promise<void> {
  await startNodes(stage, setup);
  await registerNames(stage);
  await joinGroups(stage);
  await killOne(stage);
  await partition(stage);
  await heal(stage);
  if ("port" in setup.bus) await killTheBus(stage);
}

async function startNodes(stage: Stage, setup: Omit<NodeSetup, "name">): Promise<void> {
  const { narrator } = stage;
  narrator.scene("Five nodes start, each an OS process of its own.");
  const start = async (name: string): Promise<void> => {
    const { osPid } = await stage.start({ ...setup, name });
    narrator.says(
      `${name} is up: OS process ${osPid}${name === OSLO && "port" in setup.bus ? ", which hosts the bus for all" : ""}`,
    );
  };
  await start(OSLO);
  await Promise.all([LIMA, CAIRO, DELHI, PERTH].map(start));
  await stage.verify("each of the five sees all five", SOON_MS, (views) => nodesMissing(views, CAST));
}

async function registerNames(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.scene("They register names, and call each other by them.");
  await stage.member(LIMA).ask("serve", { name: "billing" });
  narrator.says('lima registers "billing"');
  await stage.member(CAIRO).ask("serve", { name: "search" });
  narrator.says('cairo registers "search"');
  narrator.says('delhi and perth both register "leader", at the same time');
  const leader = await race(stage, "leader", [DELHI, PERTH]);
  await stage.verify("all five agree who holds the three names", SOON_MS, (views) => [
    ...holderMissing(views, "billing", LIMA),
    ...holderMissing(views, "search", CAIRO),
    ...holderMissing(views, "leader", leader),
  ]);
  await callService(stage, OSLO, "billing", LIMA);
  await stage.member(DELHI).ask("standBy", { name: "billing" });
  narrator.says('delhi stands by: it will register "billing" when that is free');
}

/** One of them gets the name, and the others hear that it is taken. */
async function race(stage: Stage, name: string, runners: readonly string[]): Promise<string> {
  const results = await Promise.allSettled(
    runners.map((runner) => stage.member(runner).ask("serve", { name })),
  );
  const winners = runners.filter((_, index) => results[index]?.status === "fulfilled");
  const refused = results.filter(
    (each) =>
      each.status === "rejected" && each.reason instanceof Refusal && each.reason.code === "NAME_TAKEN",
  );
  const claim = `${winners.join(", ")} got it; the other was told NameTakenError`;
  const fair = winners.length === 1 && refused.length === runners.length - 1;
  await stage.verify(claim, 0, () => (fair ? [] : [`one winner among ${JSON.stringify(results)}`]));
  return winners[0] ?? "nobody";
}

async function joinGroups(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.scene("Processes join a group, and one message reaches all of them.");
  const places = [LIMA, CAIRO, DELHI, PERTH, PERTH];
  const pids = await Promise.all(
    places.map((place) => stage.member(place).ask("join", { group: "workers" })),
  );
  narrator.says('five processes join "workers": one each on lima, cairo and delhi, two on perth');
  await stage.verify("all five see the same five members", SOON_MS, (views) => membersMissing(views, places));
  const message = "prices have changed";
  const count = await stage.member(OSLO).ask("publish", { group: "workers", message });
  narrator.says(`oslo publishes ${JSON.stringify(message)} to ${count} members`);
  await stage.verify("each of the five members got it, once", SOON_MS, () => {
    const receivers = stage.seen("received").map(({ sighting }) => sighting.pid);
    return pids.flatMap((pid) => {
      const times = receivers.filter((receiver) => receiver === pid).length;
      return times === 1 ? [] : [`${pid} got it ${times} times`];
    });
  });
}
