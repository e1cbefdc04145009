import { UnsendableError } from "./wire.ts";

const NAME = /^[A-Za-z_$][\w$]*$/;

/**
 * What is broadcast goes to other nodes as it is, and becomes JSON there. A Buffer arrives as bytes like any, which JSON says
 * otherwise than a Buffer; the same is true of whatever else says itself how it becomes JSON: only dates keep that on their way.
 *
 * @param payload what JSON can say, and so without cycles
 * @throws UnsendableError for one that clients of other nodes would see otherwise than those of this one
 */
export function checkAlike(payload: unknown, path = "payload"): void {
  if (typeof payload !== "object" || payload === null || payload instanceof Date) return;
  if (ArrayBuffer.isView(payload) || payload instanceof ArrayBuffer)
    throw new UnsendableError(
      `a payload is bytes as a whole, or none: there are bytes at ${path}; say them in base64, say, or alone`,
    );
  if ("toJSON" in payload && typeof payload.toJSON === "function")
    throw new UnsendableError(
      `toJSON gets lost on the way to other nodes: call it yourself; ${path} has one`,
    );
  const isList = Array.isArray(payload);
  for (const [key, part] of Object.entries(payload) as [string, unknown][]) {
    // No path is made for what is none: most parts.
    if (typeof part !== "object") continue;
    const step = NAME.test(key) ? `.${key}` : `[${isList ? key : JSON.stringify(key)}]`;
    checkAlike(part, path + step);
  }
}
