import type { Story } from "../../../../src/http/page/timeline.js";

export const START_MS = Date.parse("2026-01-01T12:00:00.000Z");

export function pidOf(city: string, serial = 1): string {
  return `${city}@0mwqi6o6xhqrpxhn5/${serial}`;
}

export function nodeOf(city: string): string {
  return `${city}@0mwqi6o6xhqrpxhn5`;
}

/** Stories as the service numbers them. */
export class Stories {
  #number = 0;
  atMs = START_MS;

  skip(count: number): void {
    this.#number += count;
  }

  tell(table: string, event: string, told: object): Story {
    this.#number += 1;
    return {
      number: this.#number,
      at: new Date(this.atMs).toISOString(),
      table,
      event,
      ...told,
    } as unknown as Story;
  }

  registered(name: string, city: string, serial?: number): Story {
    return this.tell("names", "registered", { name, node: nodeOf(city), pid: pidOf(city, serial) });
  }

  unregistered(name: string, city: string, reason: object, serial?: number): Story {
    return this.tell("names", "unregistered", { name, node: nodeOf(city), pid: pidOf(city, serial), reason });
  }
}

export function silent(city: string): {
  readonly kind: string;
  readonly node: string;
  readonly cause: string;
} {
  return { kind: "nodeDown", node: nodeOf(city), cause: "silent" };
}
