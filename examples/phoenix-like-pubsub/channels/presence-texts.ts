import type { PresenceMeta, Presences } from "rollcall";
import { EncodedJson } from "./wire.ts";

/** One meta, and how JSON says it. */
interface Said {
  readonly ref: string;
  /** Undefined: JSON cannot say it. */
  readonly text: string | undefined;
}

/**
 * Who is in one topic, in JSON. Each meta is encoded once, however many clients are told of it, and so is the whole between two
 * changes. A meta that JSON cannot say is left out everywhere: somebody who does not use channels may be present with any.
 */
export class PresenceTexts {
  readonly #onUnsayable: (key: string, error: unknown) => void;
  #table = new Map<string, readonly Said[]>();
  #whole: EncodedJson | undefined;

  /** @param onUnsayable told once of each meta that is left out */
  constructor(onUnsayable: (key: string, error: unknown) => void) {
    this.#onUnsayable = onUnsayable;
  }

  /** Everybody: the payload of `presence_state`. */
  get whole(): EncodedJson {
    this.#whole ??= new EncodedJson(textOf(this.#table));
    return this.#whole;
  }

  /** Whatever was known before, these are there now. */
  reset(presences: Presences): void {
    const known = new Map([...this.#table.values()].flat().map((said) => [said.ref, said] as const));
    this.#table = this.#say(presences, known);
    this.#whole = undefined;
  }

  /**
   * As the client does it: joins first, and nothing but the reference tells metas from each other.
   *
   * @returns the payload of `presence_diff`; undefined if it says nothing
   */
  change(joins: Presences, leaves: Presences): EncodedJson | undefined {
    const joined = this.#say(joins);
    for (const [key, said] of joined) this.#table.set(key, [...(this.#table.get(key) ?? []), ...said]);
    const left = new Map<string, readonly Said[]>();
    for (const [key, { metas }] of Object.entries(leaves)) {
      const gone = new Set(metas.map(({ phx_ref }) => phx_ref));
      const known = this.#table.get(key) ?? [];
      left.set(
        key,
        known.filter(({ ref }) => gone.has(ref)),
      );
      const stay = known.filter(({ ref }) => !gone.has(ref));
      if (stay.length === 0) this.#table.delete(key);
      else this.#table.set(key, stay);
    }
    if (!saysAnything(joined) && !saysAnything(left)) return undefined;
    this.#whole = undefined;
    return new EncodedJson(`{"joins":${textOf(joined)},"leaves":${textOf(left)}}`);
  }

  #say(presences: Presences, known?: ReadonlyMap<string, Said>): Map<string, readonly Said[]> {
    const entries = Object.entries(presences).map(
      ([key, { metas }]) =>
        [key, metas.map((meta) => known?.get(meta.phx_ref) ?? this.#sayOne(key, meta))] as const,
    );
    return new Map(entries);
  }

  #sayOne(key: string, meta: PresenceMeta): Said {
    try {
      return { ref: meta.phx_ref, text: JSON.stringify(meta) };
    } catch (error) {
      this.#onUnsayable(key, error);
      return { ref: meta.phx_ref, text: undefined };
    }
  }
}

function saysAnything(table: ReadonlyMap<string, readonly Said[]>): boolean {
  return [...table.values()].some((said) => said.some(({ text }) => text !== undefined));
}

function textOf(table: ReadonlyMap<string, readonly Said[]>): string {
  const entries: string[] = [];
  for (const [key, said] of table) {
    const metas = said.flatMap(({ text }) => (text === undefined ? [] : [text]));
    if (metas.length > 0) entries.push(`${JSON.stringify(key)}:{"metas":[${metas.join(",")}]}`);
  }
  return `{${entries.join(",")}}`;
}
