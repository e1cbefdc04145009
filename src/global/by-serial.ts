/** The names of each process. Most hold one, which needs no set. */
export type NamesBySerial = Map<number, string | Set<string>>;

export function addName(bySerial: NamesBySerial, serial: number, name: string): void {
  const names = bySerial.get(serial);
  if (names === undefined) bySerial.set(serial, name);
  else if (typeof names === "string") {
    if (names !== name) bySerial.set(serial, new Set([names, name]));
  } else names.add(name);
}

export function removeName(bySerial: NamesBySerial, serial: number, name: string): void {
  const names = bySerial.get(serial);
  if (names === name) bySerial.delete(serial);
  else if (names instanceof Set) {
    names.delete(name);
    if (names.size === 0) bySerial.delete(serial);
  }
}
