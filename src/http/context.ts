import type { HttpBindings } from "@hono/node-server";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../node/logger.ts";
import type { ClusterNode } from "../node/types.ts";
import type { Access } from "./access.ts";
import type { Buckets } from "./buckets.ts";
import type { Readiness } from "./health.ts";
import type { ServiceLimits } from "./limits.ts";
import type { Operations } from "./operations.ts";
import type { Sessions } from "./sessions.ts";
import type { Watching } from "./watching.ts";

/** What the parts of one service share. */
export interface ServiceParts {
  readonly node: ClusterNode;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ServiceLimits;
  readonly access: Access;
  readonly buckets: Buckets;
  readonly sessions: Sessions;
  readonly operations: Operations;
  readonly watching: Watching;
  readonly readiness: Readiness;
  readonly counts: ServiceCounts;
}

/** Since the start. */
export interface ServiceCounts {
  /** By status. */
  readonly requests: Map<number, number>;
  /** By code of the problem. */
  readonly problems: Map<string, number>;
}

/** What hono hands to handlers: the request and response of Node's own. */
export interface ServiceEnv {
  readonly Bindings: HttpBindings;
}
