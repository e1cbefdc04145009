import { RollcallError } from "./errors.ts";

/**
 * Bytes from the bus that are not what they should be. Whoever reads the bus catches it, drops the frame and counts it; users
 * see it only as the cause of another error.
 */
export class MalformedError extends RollcallError {
  readonly code = "MALFORMED";

  /** @param found what was there, and what should have been, e.g. `a text of 1 to 512 bytes, not 7` */
  constructor(found: string, options?: ErrorOptions) {
    super(`malformed: ${found}`, options);
  }
}
