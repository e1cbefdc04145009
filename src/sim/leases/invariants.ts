/** What must hold of leases, by the names that failures are told by. */

/** Unless clocks are worse than the bound that is configured. */
export const ONE_HOLDER = "no two hold a name";
/** Whatever clocks do. */
export const TOKENS_RISE = "tokens of a name rise";
/** Unless clocks are worse than the bound. */
export const LINEARIZABLE = "what is done with a name has an order";
export const SERVED = "a free name can be had when nothing goes wrong";
export const SETTLES = "every command ends";
