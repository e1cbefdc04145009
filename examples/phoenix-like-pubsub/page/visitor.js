/*
 * Who this visitor is: an id, a name, a rating. They are the same after a reload, or at another node; in another tab they are others,
 * unless that is a copy of this one.
 */

const KEY = "visitor";
const FRUIT = ["Apricot", "Cherry", "Fig", "Lemon", "Mango", "Melon", "Olive", "Peach", "Plum", "Quince"];

export function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (isVisitor(kept)) return kept;
  } catch {
    // It is not to be had, or not ours: a new visitor.
  }
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, name: guestName(id), rating: null };
}

export function remember({ id, name, rating }) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ id, name, rating }));
  } catch {
    // A private window: forgotten with the page.
  }
}

/** For who has given none, or none that will do. */
export function guestName(id) {
  const number = Number.parseInt(id.slice(0, 4), 16) || 0;
  return `${FRUIT[number % FRUIT.length]} ${number % 100}`;
}

function isVisitor(kept) {
  if (typeof kept !== "object" || kept === null) return false;
  const { id, name, rating } = kept;
  return (
    /^[a-z0-9]{8,32}$/.test(id) && typeof name === "string" && (rating === null || typeof rating === "number")
  );
}
