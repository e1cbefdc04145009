import { type Names, NameTakenError, type Pid } from "../../../src/index.ts";
import { type ToldError, tell } from "./protocol.ts";

export interface Race {
  /** Name → revision of the registration. */
  readonly won: Readonly<Record<string, string>>;
  readonly lost: readonly string[];
  /** Anything but `NameTakenError`. */
  readonly failed: readonly ToldError[];
}

export interface Handover {
  readonly name: string;
  readonly to: Pid;
  readonly by: "transfer" | "reregister";
}

/** Tries for all names at once. */
export async function race(names: Names, wanted: readonly string[], pid: Pid): Promise<Race> {
  const won: Record<string, string> = {};
  const lost: string[] = [];
  const failed: ToldError[] = [];
  const attempt = async (name: string): Promise<void> => {
    try {
      won[name] = (await names.register(name, pid)).revision;
    } catch (error) {
      if (error instanceof NameTakenError) lost.push(name);
      else failed.push(tell(error));
    }
  };
  await Promise.all(wanted.map(attempt));
  return { won, lost, failed };
}

/** Hands all of them on at once. Name → revision of the new registration. */
export async function handOn(
  names: Names,
  handovers: readonly Handover[],
): Promise<Readonly<Record<string, string>>> {
  const revisions = handovers.map(async ({ name, to, by }) => [name, (await names[by](name, to)).revision]);
  return Object.fromEntries(await Promise.all(revisions));
}
