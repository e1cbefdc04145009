import type { IncomingMessage } from "node:http";
import type { ChannelLimits } from "./limits.ts";

/** What came of the body of a request. */
export type Body =
  | { readonly kind: "whole"; readonly text: string }
  /** It is longer than one may be. */
  | { readonly kind: "tooLong" }
  /** All that there are take as much as they may. */
  | { readonly kind: "noRoom" }
  /** It was cut off, or nobody waits for it any more. What came of it is not to be taken for all. */
  | { readonly kind: "abandoned" };

type BodyLimits = Pick<ChannelLimits, "batchBytes" | "batchesBytes" | "sockets">;

/**
 * The bodies of all requests that are being received, or dealt with: each takes room until that is done. What a small one takes is
 * its own: else a few clients that send long ones, slowly, would keep out all others.
 */
export class Bodies {
  readonly #limits: BodyLimits;
  /** Of each body: the shares of all clients together take as much as what is weighed. */
  readonly #shareBytes: number;
  #bytes = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
    this.#shareBytes = Math.floor(limits.batchesBytes / limits.sockets);
  }

  /** What all of them take now, past the share of each. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param abandon aborted when the body is not wanted any more
   * @param use what is done with it: until that is over it counts
   */
  async receive<T>(
    request: IncomingMessage,
    abandon: AbortSignal,
    use: (body: Body) => Promise<T>,
  ): Promise<T> {
    let taken = 0;
    let weighed = 0;
    const weigh = (bytes: number): Body | undefined => {
      taken += bytes;
      const past = Math.max(0, taken - this.#shareBytes);
      this.#bytes += past - weighed;
      weighed = past;
      if (taken > this.#limits.batchBytes) return { kind: "tooLong" };
      return weighed > 0 && this.#bytes > this.#limits.batchesBytes ? { kind: "noRoom" } : undefined;
    };
    try {
      return await use(await read(request, abandon, weigh));
    } finally {
      this.#bytes -= weighed;
    }
  }
}

/** @param weigh told of each part of the body: undefined if it can be had */
function read(
  request: IncomingMessage,
  abandon: AbortSignal,
  weigh: (bytes: number) => Body | undefined,
): Promise<Body> {
  return new Promise((resolve) => {
    const gathered = new GrowingBytes();
    const settle = (body: Body): void => {
      // The stream flows on without this: what still comes is kept by nobody.
      request.off("data", take).off("end", end).off("close", giveUp);
      abandon.removeEventListener("abort", giveUp);
      resolve(body);
    };
    const take = (chunk: Buffer): void => {
      const refusal = weigh(chunk.length);
      if (refusal === undefined) gathered.add(chunk);
      else settle(refusal);
    };
    const end = (): void => settle({ kind: "whole", text: gathered.toString() });
    const giveUp = (): void => settle({ kind: "abandoned" });
    request.on("data", take).once("end", end).once("close", giveUp);
    abandon.addEventListener("abort", giveUp);
    if (abandon.aborted) giveUp();
  });
}

/**
 * What has come, in one piece that takes at most twice its length. A list of what came would not do: each part of it takes some
 * 400 bytes besides its own, and whoever sends decides how small the parts are.
 */
class GrowingBytes {
  #bytes = Buffer.alloc(0);
  #length = 0;

  add(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  toString(): string {
    return this.#bytes.toString("utf8", 0, this.#length);
  }
}
