import { CAIRO, callService, DELHI, LIMA, OSLO, PERTH, SILENCE_MS, SOON_MS, SURVIVORS } from "./cast.ts";
import { exactlyOnce, holderMissing, membersMissing, nodesMissing, since } from "./claims.ts";
import { Refusal } from "./member-process.ts";
import { type Stage, StepFailed } from "./stage.ts";

/** A call that was lost with the bus is given up, and made again, after this long. */
const IMPATIENT_MS = 200;

export async function killOne(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.scene("lima is killed with SIGKILL: no goodbye, no clean-up.");
  await stage.member(OSLO).ask("monitor", { name: "billing" });
  narrator.says('oslo monitors the process behind "billing"');
  const killedAtMs = stage.now();
  await stage.member(LIMA).kill();
  narrator.strikes(`kill -9 ${stage.member(LIMA).osPid}`);
  await stage.verify(
    "all four others noticed, and purged what lima had, each on its own",
    SOON_MS,
    (views) => [
      ...nodesMissing(views, SURVIVORS),
      ...purgesMissing(stage, killedAtMs),
      ...membersMissing(views, [CAIRO, DELHI, PERTH, PERTH]),
    ],
    () => {
      for (const { by, atMs, sighting } of stage.seen("nodeDown", killedAtMs)) {
        narrator.saw(atMs, `${by}: lima is down (${sighting.why}), ${since(killedAtMs, atMs, "kill")}`);
      }
    },
  );
  await stage.verify("the monitor fired, once", SOON_MS, () => {
    const fired = stage.seen("monitorFired", killedAtMs).length;
    return fired === 1 ? [] : [`it to fire once; it did ${fired} times`];
  });
  await stage.verify(
    '"billing" moved on: all four say that delhi has it',
    SOON_MS,
    (views) => holderMissing(views, "billing", DELHI),
    () => {
      const moved = stage
        .seen("registered", killedAtMs)
        .filter(({ sighting }) => sighting.name === "billing");
      for (const { by, atMs } of moved)
        narrator.saw(atMs, `${by}: "billing" is on delhi, ${since(killedAtMs, atMs, "kill")}`);
    },
  );
  await callService(stage, OSLO, "billing", DELHI);
}

function purgesMissing(stage: Stage, sinceMs: number): string[] {
  const down = stage.seen("nodeDown", sinceMs);
  const freed = stage.seen("unregistered", sinceMs);
  const left = stage.seen("left", sinceMs);
  return [
    ...exactlyOnce(down, "that lima is down", SURVIVORS, ({ node }) => node === LIMA),
    ...exactlyOnce(
      freed,
      "that billing is free",
      SURVIVORS,
      ({ name, node }) => name === "billing" && node === LIMA,
    ),
    ...exactlyOnce(left, "that lima's member left", SURVIVORS, ({ node }) => node === LIMA),
  ];
}

export async function killTheBus(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.scene("oslo is killed too. It hosted the bus: another process takes that over.");
  const killedAtMs = stage.now();
  await stage.member(OSLO).kill();
  narrator.strikes(`kill -9 ${stage.member(OSLO).osPid}`);
  await callUntilAnswered(stage, PERTH, "billing");
  narrator.says(
    `perth calls "billing", over the new bus: answered ${since(killedAtMs, stage.now(), "kill")}`,
  );
  await stage.member(DELHI).ask("serve", { name: "audit" });
  narrator.says('delhi registers "audit"');
  await stage.verify(
    "the three others lost nothing but oslo, and go on",
    SILENCE_MS,
    (views) => [
      ...nodesMissing(views, [CAIRO, DELHI, PERTH]),
      ...stage
        .seen("nodeDown", killedAtMs)
        .filter(({ sighting }) => sighting.node !== OSLO)
        .map(({ by, sighting }) => `${by} not to take ${sighting.node} for dead`),
      ...holderMissing(views, "billing", CAIRO),
      ...holderMissing(views, "search", CAIRO),
      ...holderMissing(views, "audit", DELHI),
    ],
    () => {
      for (const { by, atMs, sighting } of stage.seen("nodeDown", killedAtMs)) {
        narrator.saw(
          atMs,
          `${by}: ${sighting.node} is down (${sighting.why}), ${since(killedAtMs, atMs, "kill")}`,
        );
      }
    },
  );
}

/** A message that was under way when the bus ended is lost, as messages may be; the caller is told, and tries again. */
async function callUntilAnswered(stage: Stage, from: string, name: string): Promise<void> {
  const deadlineMs = stage.now() + SILENCE_MS;
  for (;;) {
    try {
      await stage.member(from).ask("call", { name, timeoutMs: IMPATIENT_MS });
      return;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (stage.now() > deadlineMs) throw new StepFailed("no answer", { cause: error });
      await stage.pause(IMPATIENT_MS / 10);
    }
  }
}
