import type { Clock } from "../../kernel/clock.ts";

/** Where the story goes, and whether it may be coloured. */
export interface Page {
  write(text: string): void;
  readonly colour: boolean;
}

type Ink = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** The escape codes that switch each ink on and off. `util.styleText` would do, but the first releases of Node 20 lack it. */
const INKS: Readonly<Record<Ink, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

const TIME_WIDTH = 7;

const SIGNS = [
  "! is done to the nodes on purpose: killed, cut off",
  "· is what a node saw",
  "✓ is a claim that was checked on every node, and holds",
  "✗ is one that does not hold: then the demo ends with an error",
];

/** Tells the story: one line at a time, each with the seconds since the start. */
export class Narrator {
  readonly #page: Page;
  readonly #clock: Clock;
  readonly #startMs: number;
  #scenes = 0;
  #checks = 0;
  /** What the latest line says, of its time. */
  #latestMs: number;
  #hushed = false;

  constructor(page: Page, clock: Clock) {
    this.#page = page;
    this.#clock = clock;
    this.#startMs = clock.now().wallMs;
    this.#latestMs = this.#startMs;
  }

  /** How many claims were found to hold. */
  get checks(): number {
    return this.#checks;
  }

  title(text: string, subtitle: string): void {
    this.#write(`\n${this.#inked("bold", text)}\n${this.#inked("dim", subtitle)}\n`);
    for (const line of SIGNS) this.#write(`${this.#inked("dim", `  ${line}`)}\n`);
  }

  scene(text: string): void {
    this.#scenes += 1;
    this.#write(`\n${this.#inked("bold", `${this.#scenes}. ${text}`)}\n`);
  }

  /** Something that is done, or explained. */
  says(text: string): void {
    this.#line(this.#now(), " ", text);
  }

  /** Something that a node saw, at the time at which it did. */
  saw(atMs: number, text: string): void {
    this.#line(atMs, this.#inked("cyan", "·"), text);
  }

  /** Something bad that is done to the nodes, as it is meant. */
  strikes(text: string): void {
    this.#line(this.#now(), this.#inked("yellow", "!"), this.#inked("yellow", text));
  }

  /** A claim that was verified on every node. */
  holds(text: string): void {
    this.#checks += 1;
    this.#line(this.#now(), this.#inked("green", "✓"), this.#inked("green", text));
  }

  fails(text: string, missing: readonly string[]): void {
    this.breaks(`NOT SO: ${text}`);
    for (const each of missing)
      this.#line(this.#now(), " ", `  ${this.#inked("yellow", `missing: ${each}`)}`);
  }

  /** The story cannot go on. */
  breaks(text: string): void {
    this.#line(this.#now(), this.#inked("red", "✗"), this.#inked("red", text));
  }

  plain(text: string): void {
    this.#write(`${text}\n`);
  }

  /** The reader has had enough. */
  hush(): void {
    this.#hushed = true;
  }

  #write(text: string): void {
    if (!this.#hushed) this.#page.write(text);
  }

  /** What a node saw is told a little later, when other lines may stand already: their time does not go back. */
  #line(atMs: number, mark: string, text: string): void {
    this.#latestMs = Math.max(this.#latestMs, atMs);
    const seconds = ((this.#latestMs - this.#startMs) / 1_000).toFixed(2);
    this.#write(`${this.#inked("dim", `${seconds.padStart(TIME_WIDTH)} s`)} ${mark} ${text}\n`);
  }

  #now(): number {
    return this.#clock.now().wallMs;
  }

  #inked(ink: Ink, text: string): string {
    const [on, off] = INKS[ink];
    return this.#page.colour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  }
}

/** Colour is for terminals, and for nobody who said NO_COLOR (see no-color.org). */
export function pageOf(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Page {
  const { NO_COLOR = "", TERM } = environment;
  return {
    write: (text) => stream.write(text),
    colour: stream.isTTY === true && NO_COLOR === "" && TERM !== "dumb",
  };
}
