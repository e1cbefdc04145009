export type { JetstreamLeasesOptions } from "./lease/jetstream/options.ts";
export { jetstreamLeases } from "./lease/jetstream.ts";
export type { LeaseStore } from "./lease/port.ts";
