export type { AccessScope, AccessToken } from "./http/access.ts";
export { parseTokens } from "./http/access.ts";
export type { ServiceLimits } from "./http/limits.ts";
export type { ServiceOptions } from "./http/options.ts";
export type { Service } from "./http/service.ts";
export { startService } from "./http/service.ts";
