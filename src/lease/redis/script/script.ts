import { createHash } from "node:crypto";
import { QUEUES } from "./queues.ts";
import { REQUESTS } from "./requests.ts";
import { STATE } from "./state.ts";
import { VOTES } from "./votes.ts";

/** The one script: the rules of `LeaseStore` as Redis carries them out. `memory/` has the same ones, to be read beside it. */
export const SCRIPT = [STATE, VOTES, QUEUES, REQUESTS].join("");

/** What Redis knows the script by. */
export const SCRIPT_SHA = createHash("sha1").update(SCRIPT).digest("hex");
