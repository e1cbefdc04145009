const LONGEST = 80;

/** A value as an error message shows it: on one line, short, and safe for a terminal. */
export function quote(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  // JSON has no NaN and no infinities.
  if (typeof value === "number") return String(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}
