/** One reading of both clocks. Machines are given it; only the shell takes it. */
export interface Now {
  /** Milliseconds on a clock that never steps back. Says how long; means nothing on another node. */
  readonly monotonicMs: number;
  /** Milliseconds since 1970 by this machine's calendar, which may step either way. */
  readonly wallMs: number;
}

/** Withdraws a timer that has not fired. Harmless afterwards, and twice. */
export type Cancel = () => void;

/** The only source of time in the project: the real one in the shell, a virtual one in tests. */
export interface Clock {
  now(): Now;
  /** Runs once, `delayMs` from now at the earliest. Does not keep an OS process alive. */
  after(delayMs: number, run: () => void): Cancel;
  /** Runs once, after what is already waiting in this turn of the event loop. */
  endOfTurn(run: () => void): void;
}
