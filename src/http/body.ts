import type { IncomingMessage } from "node:http";
import { ServiceError } from "./problem.ts";

const FIRST_BYTES = 4_096;

/**
 * The body of a request, as text. In one piece from the start: a client may send each byte by itself, and a buffer for each would
 * take a hundred times as much.
 *
 * @throws ServiceError when it is longer than that, or ends before it is whole
 */
export function readBody(incoming: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.allocUnsafe(Math.min(FIRST_BYTES, maxBytes));
    let length = 0;
    const done = (): void => {
      incoming.off("data", take).off("end", end).off("close", cut).off("error", cut);
    };
    const take = (chunk: Buffer): void => {
      if (length + chunk.length > maxBytes) {
        done();
        // What is left is read and thrown away until the connection is closed: else the answer would not get through.
        incoming.resume();
        reject(
          new ServiceError("BODY_TOO_LARGE", `a body has at most ${maxBytes} bytes`, { limit: "bodyBytes" }),
        );
        return;
      }
      if (length + chunk.length > bytes.length) {
        const grown = Buffer.allocUnsafe(Math.min(maxBytes, 2 * (length + chunk.length)));
        bytes.copy(grown, 0, 0, length);
        bytes = grown;
      }
      length += chunk.copy(bytes, length);
    };
    const end = (): void => {
      done();
      resolve(bytes.toString("utf8", 0, length));
    };
    const cut = (): void => {
      done();
      reject(new ServiceError("BAD_REQUEST", "the body ended before it was whole"));
    };
    incoming.on("data", take).on("end", end).on("close", cut).on("error", cut);
  });
}
