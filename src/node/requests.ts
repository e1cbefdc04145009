import { InvariantError } from "../kernel/errors.ts";
import type { NodeId } from "../kernel/ids.ts";
import type { Registration } from "../resolve/types.ts";
import type { Answer, NodeInput, NodeMachinePort, RequestId } from "./machine-types.ts";
import type { Pump } from "./pump.ts";
import { Wait, type WaitOptions, type Waits } from "./waits.ts";

/** Everything but an error, which rejects. */
export type GoodAnswer = Exclude<Answer, { kind: "error" }>;

/** A question to the machine that has not been answered. */
class Request extends Wait<GoodAnswer> {
  readonly #requests: Requests;
  readonly #id: RequestId;

  constructor(requests: Requests, waits: Waits, id: RequestId, options: WaitOptions) {
    super(waits, options);
    this.#requests = requests;
    this.#id = id;
  }

  protected override forget(): void {
    this.#requests.forget(this.#id);
  }

  protected override gaveUp(): void {
    this.#requests.abandon(this.#id);
  }

  protected override lagging(): readonly NodeId[] {
    return this.#requests.lagging(this.#id);
  }
}

/** What this node's machine has been asked for, and by whom. */
export class Requests {
  readonly #waits: Waits;
  readonly #machine: NodeMachinePort;
  readonly #pump: Pump;
  readonly #open = new Map<RequestId, Request>();
  #lastId: RequestId = 0;

  constructor(waits: Waits, machine: NodeMachinePort, pump: Pump) {
    this.#waits = waits;
    this.#machine = machine;
    this.#pump = pump;
  }

  /**
   * Feeds an input that carries a request, and waits for its answer.
   *
   * @param onFed called when the machine has taken the input
   * @throws what the machine answers with, TimeoutError, the signal's reason, LimitExceededError, BusClosedError
   */
  ask(
    options: WaitOptions,
    input: (request: RequestId) => NodeInput,
    onFed?: () => void,
  ): Promise<GoodAnswer> {
    this.#lastId += 1;
    const id = this.#lastId;
    let request: Request;
    try {
      request = new Request(this, this.#waits, id, options);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#open.set(id, request);
    this.#pump.feed(input(id));
    onFed?.();
    return request.promise;
  }

  answer(id: RequestId, answer: Answer): void {
    const request = this.#open.get(id);
    if (answer.kind === "error") request?.reject(answer.error);
    else request?.resolve(answer);
  }

  /** For `Request` only, like the rest. */
  forget(id: RequestId): void {
    this.#open.delete(id);
  }

  abandon(id: RequestId): void {
    this.#pump.feed({ kind: "abandon", request: id });
  }

  lagging(id: RequestId): readonly NodeId[] {
    return this.#machine.lagging(id);
  }
}

export function expectRegistration(answer: GoodAnswer): Registration {
  if (answer.kind === "registration") return answer.registration;
  throw unexpected(answer);
}

export function expectFlag(answer: GoodAnswer): boolean {
  if (answer.kind === "flag") return answer.value;
  throw unexpected(answer);
}

export function unexpected(answer: GoodAnswer): InvariantError {
  return new InvariantError(`the answer to this request is not of kind ${answer.kind}`);
}
