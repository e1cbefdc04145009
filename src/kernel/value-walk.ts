import { InvalidArgumentError, LimitExceededError } from "./errors.ts";

/** Values nest at most this deep: so walking one, here or in a receiver's own code, cannot overflow the stack. */
export const MAX_DEPTH = 200;

/**
 * The holes of all sparse arrays of a value, at most. They take no room on the wire and eight bytes each in memory: without
 * a limit, a short message could claim gigabytes.
 */
export const MAX_HOLES = 10_000;

export interface ByteLimit {
  /** The option under `limits` that sets it. */
  readonly name: string;
  readonly bytes: number;
}

/** A step from a value to a part of it: a key, an index, or what to call it where JavaScript has no notation. */
export type Step = string | number | { readonly label: string };

/** One walk over a user's value: where it is, for error messages, and how much it has met, so that it can stop early. */
export class ValueWalk {
  readonly #path: string;
  readonly #limit: ByteLimit;
  readonly #trail: Step[] = [];
  #depth = 0;
  #bytes = 0;

  constructor(path: string, limit: ByteLimit) {
    this.#path = path;
    this.#limit = limit;
  }

  /** Goes into a container. Each `enter` is paired with a `leave`, except on the way out with an error. */
  enter(container: unknown): void {
    if (this.#depth === MAX_DEPTH) throw this.refuse(container, `values nested at most ${MAX_DEPTH} deep`);
    this.#depth += 1;
  }

  /** Names the part of the container that is looked at next. */
  at(step: Step): void {
    this.#trail[this.#depth - 1] = step;
  }

  leave(): void {
    this.#depth -= 1;
  }

  /** Counts what a part takes on the wire at the very least: a value far over its limit is then refused before it is encoded. */
  spend(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limit.bytes)
      throw overLimit(this.#path, this.#limit, `more than ${this.#limit.bytes}`);
  }

  /** Counts a text, and makes sure that it has a UTF-8 form. */
  spendText(text: string): void {
    this.spend(text.length + 1);
    if (!text.isWellFormed())
      throw this.refuse(text, "text of well-formed Unicode (this has a lone surrogate)");
  }

  spendKey(key: string): void {
    this.spend(key.length + 1);
    if (!key.isWellFormed())
      throw this.refuse(key, "keys of well-formed Unicode (this key has a lone surrogate)");
  }

  refuse(value: unknown, expected: string): InvalidArgumentError {
    let path = this.#path;
    for (let index = 0; index < this.#depth; index += 1) path += written(this.#trail[index]);
    return new InvalidArgumentError(path, value, expected);
  }
}

export function overLimit(path: string, limit: ByteLimit, takes: string): LimitExceededError {
  return new LimitExceededError(limit.name, limit.bytes, `${path} takes ${takes} bytes`);
}

function written(step: Step | undefined): string {
  if (step === undefined) return "";
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "object") return ` ${step.label}`;
  return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}
