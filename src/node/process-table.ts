import { LimitExceededError, NoSuchProcessError, NotLocalError } from "../kernel/errors.ts";
import { makePid, type NodeId, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import {
  causeOfLoss,
  type Delivery,
  LocalProcess,
  type ProcessHost,
  type ProcessSettings,
} from "./process.ts";
import type { Counts } from "./stats.ts";

/** The processes of one node. */
export class ProcessTable {
  readonly #self: NodeId;
  readonly #host: ProcessHost;
  readonly #counts: Counts;
  readonly #allowed: number;
  readonly #bySerial = new Map<number, LocalProcess>();
  #serial = 0;

  constructor(self: NodeId, host: ProcessHost, counts: Counts, allowed: number) {
    this.#self = self;
    this.#host = host;
    this.#counts = counts;
    this.#allowed = allowed;
  }

  get size(): number {
    return this.#bySerial.size;
  }

  /** Messages that wait in mailboxes. */
  get waiting(): number {
    let waiting = 0;
    for (const process of this.#bySerial.values()) waiting += process.waiting;
    return waiting;
  }

  get idle(): boolean {
    for (const process of this.#bySerial.values()) {
      if (!process.idle) return false;
    }
    return true;
  }

  /** @throws LimitExceededError */
  create(settings: ProcessSettings): LocalProcess {
    if (this.#bySerial.size >= this.#allowed) {
      throw new LimitExceededError("processes", this.#allowed, "this node has as many processes as it may");
    }
    this.#serial += 1;
    const process = new LocalProcess(this.#host, makePid(this.#self, this.#serial), this.#serial, settings);
    this.#bySerial.set(this.#serial, process);
    return process;
  }

  remove(process: LocalProcess): void {
    this.#bySerial.delete(process.serial);
  }

  get(serial: number): LocalProcess | undefined {
    return this.#bySerial.get(serial);
  }

  /** False: there is no such process. */
  deliver(serial: number, delivery: Delivery): boolean {
    const process = this.#bySerial.get(serial);
    if (process === undefined) {
      delivery.reply?.fail({ cause: causeOfLoss(delivery) });
      return false;
    }
    this.deliverTo(process, delivery);
    return true;
  }

  /** Into a mailbox. When that is full the message is dropped, and counted, or the call refused. */
  deliverTo(process: LocalProcess, delivery: Delivery): void {
    if (process.deliver(delivery)) this.#counts.messages.delivered += 1;
    else this.#refuse(process, delivery);
  }

  /** Undefined for a pid of another node, and for a dead one. */
  find(pid: Pid): LocalProcess | undefined {
    return this.isLocal(pid) ? this.#bySerial.get(serialOfPid(pid)) : undefined;
  }

  isLocal(pid: Pid): boolean {
    return nodeOfPid(pid) === this.#self;
  }

  /**
   * @throws NotLocalError, NoSuchProcessError
   */
  checkLocal(pid: Pid, operation: string): LocalProcess {
    if (!this.isLocal(pid)) throw new NotLocalError(pid, operation);
    const process = this.#bySerial.get(serialOfPid(pid));
    if (process === undefined) throw new NoSuchProcessError(pid);
    return process;
  }

  #refuse(process: LocalProcess, delivery: Delivery): void {
    this.#counts.messages.mailboxFull += 1;
    delivery.reply?.fail({ cause: "mailboxFull", mailbox: process.capacity });
    this.#host.mailboxFull(process);
  }

  all(): LocalProcess[] {
    return [...this.#bySerial.values()];
  }
}
