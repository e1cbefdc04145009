import type { Clock } from "../kernel/clock.ts";
import type { NodeId } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { ByteLimit } from "../kernel/value-walk.ts";
import type { Calls } from "./calls.ts";
import type { Logger } from "./logger.ts";
import type { NodeMachinePort } from "./machine-types.ts";
import type { Outbox } from "./outbox.ts";
import type { ProcessTable } from "./process-table.ts";
import type { Pump } from "./pump.ts";
import type { Requests } from "./requests.ts";
import type { ResolverTable } from "./resolver-table.ts";
import type { Limits } from "./settings.ts";
import type { Counts } from "./stats.ts";
import type { Subjects } from "./subjects.ts";
import type { Waits } from "./waits.ts";
import type { WatchQuota } from "./watch-hub.ts";

/** What the parts of one node share. */
export interface NodeCore {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly metadata: ByteLimit;
  readonly message: ByteLimit;
  readonly logger: Logger;
  readonly counts: Counts;
  readonly machine: NodeMachinePort;
  readonly pump: Pump;
  readonly outbox: Outbox;
  readonly subjects: Subjects;
  readonly processes: ProcessTable;
  readonly calls: Calls;
  readonly requests: Requests;
  /** Everyone who waits for anything but a call. */
  readonly waits: Waits;
  readonly resolvers: ResolverTable;
  readonly watchQuota: WatchQuota;
  /** @throws BusClosedError after the stop */
  checkOpen(): void;
  /** @throws BusClosedError after the stop, and from when the node began to drain */
  checkTakesWork(): void;
}
