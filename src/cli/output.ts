import { jsonDocument, shownJson, shownText } from "./shown.ts";

/** Where a command writes. Standard output is for what it was asked for, standard error for all else. */
export class Output {
  readonly #closed = new AbortController();

  constructor() {
    // Whoever reads us has seen enough (`| head`), or the terminal is gone: the end of our work, and no failure.
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === "EPIPE" || error.code === "EIO") this.#closed.abort();
      else throw error;
    };
    process.stdout.on("error", onError);
    process.stderr.on("error", onError);
  }

  /** Aborted when nobody reads any more. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** @param text what is safe to show, or was made so */
  line(text: string): void {
    this.write(`${text}\n`);
  }

  write(text: string): void {
    if (!this.#closed.signal.aborted) process.stdout.write(text);
  }

  /** As fast as whoever reads us takes it: what comes in between waits where it has a limit. */
  async flowing(write: () => void): Promise<void> {
    write();
    const { stdout } = process;
    if (!stdout.writableNeedDrain || this.#closed.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        stdout.off("drain", go);
        this.#closed.signal.removeEventListener("abort", go);
        resolve();
      };
      stdout.once("drain", go);
      this.#closed.signal.addEventListener("abort", go, { once: true });
    });
  }

  /** One document. */
  document(value: unknown): void {
    this.line(jsonDocument(value));
  }

  /** One of a stream of documents, one on each line. */
  jsonLine(value: unknown): void {
    this.line(shownJson(value));
  }

  /** Columns below each other. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
    for (const line of tableLines(headings, rows)) this.line(line);
  }

  /** To whoever sits there. */
  say(text: string): void {
    if (!this.#closed.signal.aborted) process.stderr.write(`${shownText(text)}\n`);
  }
}

export function tableLines(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) =>
    all.reduce((most, row) => Math.max(most, [...(row[column] ?? "")].length), 0),
  );
  const padded = (text: string, column: number): string =>
    text + " ".repeat((widths[column] ?? 0) - [...text].length);
  return all.map((row) => row.map(padded).join("  ").trimEnd());
}
