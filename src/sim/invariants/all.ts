import type { Invariant } from "../invariant.ts";
import type { World } from "../machine/world.ts";
import { Agreement } from "./agreement.ts";
import { AtRest } from "./at-rest.ts";
import { Clashes } from "./clashes.ts";
import { NothingStandsForNobody } from "./given-up.ts";
import { GivingUpTakesTime } from "./giving-up.ts";
import { GrantsEnd } from "./grants.ts";
import { GroupsCount } from "./groups.ts";
import { OneJudge } from "./judges.ts";
import { LosersAreTold } from "./losers.ts";
import { NamesShowWhatWasSaid } from "./metadata.ts";
import { MonitorsFire } from "./monitors.ts";
import { NamesKeepTheirWord } from "./names.ts";
import { NodesComeAndGo } from "./nodes.ts";
import { ReadsAgree } from "./reads.ts";
import { ReasonsAreTrue } from "./reasons.ts";
import { ReleasesAreAskedFor } from "./releases.ts";
import { StampsFollowCause } from "./stamps.ts";
import { FormerHoldersAreTold } from "./takeovers.ts";
import { ViewsAddUp } from "./views.ts";
import { WatchersSeeSense } from "./watchers.ts";
import { NothingIsWatchedForNobody } from "./watches.ts";

/** Everything that holds of the core. */
export const INVARIANTS: readonly ((world: World) => Invariant)[] = [
  (world) => new NodesComeAndGo(world),
  (world) => new MonitorsFire(world),
  (world) => new Clashes(world),
  (world) => new NamesKeepTheirWord(world),
  (world) => new GroupsCount(world),
  (world) => new GivingUpTakesTime(world),
  (world) => new GrantsEnd(world),
  (world) => new OneJudge(world),
  (world) => new LosersAreTold(world),
  (world) => new ReleasesAreAskedFor(world),
  (world) => new StampsFollowCause(world),
  (world) => new WatchersSeeSense(world),
  (world) => new ReadsAgree(world),
  (world) => new NothingIsWatchedForNobody(world),
  (world) => new ReasonsAreTrue(world),
  (world) => new ViewsAddUp(world),
  (world) => new NamesShowWhatWasSaid(world),
  (world) => new FormerHoldersAreTold(world),
  (world) => new Agreement(world),
  (world) => new NothingStandsForNobody(world),
  (world) => new AtRest(world),
];
