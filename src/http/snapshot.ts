import type { Place, Row } from "./feed.ts";

/** How many rows an event of a snapshot has, and about how much is taken in one go. */
const ROWS = 500;
export const CHUNK_CHARS = 64 * 1024;

/** What one event tells of a snapshot. */
export interface Part {
  /** JSON. */
  readonly text: string;
  /** The row with which the next part begins, or undefined after the last. */
  readonly next: number | undefined;
}

/** The rows of a table at one place, in parts that are made when they are first needed and kept for the next reader. */
export class Snapshot {
  readonly place: Place;
  readonly #rows: readonly Row[];
  #parts: Map<number, Part> | undefined = new Map();

  constructor(place: Place, rows: readonly Row[]) {
    this.place = place;
    this.#rows = rows;
  }

  get size(): number {
    return this.#rows.length;
  }

  /** The part that begins with that row. */
  part(from: number): Part {
    const kept = this.#parts?.get(from);
    if (kept !== undefined) return kept;
    const part = this.#make(from);
    this.#parts?.set(from, part);
    return part;
  }

  /** No new reader will come: what is under way makes its parts itself, so that their texts do not pile up. */
  retire(): void {
    this.#parts = undefined;
  }

  #make(from: number): Part {
    const items: string[] = [];
    let chars = 0;
    while (items.length < ROWS && chars < CHUNK_CHARS) {
      const text = this.#rows[from + items.length]?.text();
      if (text === undefined) break;
      items.push(text);
      chars += text.length;
    }
    const next = from + items.length;
    const isLast = next >= this.#rows.length;
    return { text: `{"items":[${items.join(",")}],"last":${isLast}}`, next: isLast ? undefined : next };
  }
}
