import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** A span of the clock that all processes of one machine share, in milliseconds. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a process of a node can tell of a name: what it asks for, what it is told, and what it sees of its lease. */
export type Note =
  | { readonly kind: "asks"; readonly id: number; readonly pid: string; readonly atMs: number }
  | { readonly kind: "granted"; readonly id: number; readonly token: number; readonly atMs: number }
  | { readonly kind: "taken"; readonly id: number; readonly by: string; readonly atMs: number }
  /** It may have had the name for a while all the same. */
  | { readonly kind: "failed"; readonly id: number; readonly code: string; readonly atMs: number }
  /** A lookup. */
  | ({ readonly kind: "found"; readonly pid: string; readonly token: number } & Span)
  | ({ readonly kind: "free" } & Span)
  /** Between these two moments it saw that it holds the name: by `isHeld()`, or by a signal that was not aborted in a handler. */
  | ({ readonly kind: "held"; readonly by: "isHeld" | "signal"; readonly token: number } & Span)
  | { readonly kind: "releases"; readonly token: number; readonly atMs: number }
  /** A majority of the servers has taken note. */
  | { readonly kind: "released"; readonly token: number; readonly atMs: number }
  | { readonly kind: "aborted"; readonly token: number; readonly isHeld: boolean; readonly atMs: number }
  /** The witness had refused its write. */
  | { readonly kind: "refused"; readonly token: number; readonly isHeld: boolean; readonly atMs: number };

/** One line to the witness. A write is answered by whether it is taken. */
export type Line = { readonly name: string } & (
  | { readonly write: number; readonly token: number }
  | { readonly note: Note }
);

/** The clock that all processes of one machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A process's way to the witness: a resource that a strict name protects. What is said goes out at once, and in order. */
export class WitnessClient {
  readonly #socket: Socket;
  readonly #writes = new Map<number, (isTaken: boolean) => void>();
  #lastWrite = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    createInterface({ input: socket }).on("line", (line) => {
      const [write, isTaken] = JSON.parse(line) as [number, boolean];
      this.#writes.get(write)?.(isTaken);
      this.#writes.delete(write);
    });
  }

  static connect(port: number): Promise<WitnessClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new WitnessClient(socket)));
    });
  }

  note(name: string, note: Note): void {
    this.#send({ name, note });
  }

  write(name: string, token: number): Promise<boolean> {
    this.#lastWrite += 1;
    const write = this.#lastWrite;
    this.#send({ name, write, token });
    return new Promise((resolve) => this.#writes.set(write, resolve));
  }

  close(): void {
    this.#socket.end();
  }

  #send(line: Line): void {
    this.#socket.write(`${JSON.stringify(line)}\n`);
  }
}
