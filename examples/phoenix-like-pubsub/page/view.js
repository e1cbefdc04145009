/*
 * What the page shows. It is told what is so, and says what the visitor does; it knows nothing of nodes and sockets.
 */

const EMOJI = ["👏", "❤️", "😂", "🤯", "🤔"];
/** In the air at once: a full house sends more than anybody can see. */
const MOST_FLYING = 60;
const HINT_MS = 4_000;

const element = (id) => document.getElementById(id);

/** @param on what the visitor does: `rate(number)`, `rename(text)`, `cheer(emoji)` */
export function begin(on) {
  const rating = element("rating");
  const rate = () => {
    showOwnRating(Number(rating.value));
    on.rate(Number(rating.value));
  };
  rating.addEventListener("input", rate);
  // Who means what it stands at already does not move it.
  rating.addEventListener("click", rate);
  const name = element("name");
  name.addEventListener("change", () => {
    const text = name.value.trim();
    if (text !== "") on.rename(text);
  });
  for (const emoji of EMOJI) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = emoji;
    button.setAttribute("aria-label", `Send ${emoji}`);
    button.addEventListener("click", () => on.cheer(emoji));
    element("emoji").append(button);
  }
}

export function showSelf({ name, rating }) {
  element("name").value = name;
  if (rating === null) return;
  element("rating").value = String(rating);
  showOwnRating(rating);
}

/** They are at it just now: what they type is not to be taken from them. */
export function isNaming() {
  return document.activeElement === element("name");
}

function showOwnRating(rating) {
  element("rating-text").textContent = rating.toFixed(1);
}

/** @param state `connecting`, `connected`, `moving` or `lost` */
export function showStatus(state, text) {
  element("status").dataset.state = state;
  const shown = element("status-text");
  // What has not changed is not read out again.
  if (shown.textContent !== text) shown.textContent = text;
}

/** Something went otherwise than the visitor meant. It goes by itself. */
export function showHint(text) {
  const hint = element("hint");
  hint.textContent = text;
  clearTimeout(hintTimer);
  hintTimer = setTimeout(() => {
    hint.textContent = "";
  }, HINT_MS);
}
let hintTimer;

/**
 * @param sites all that there may be: `{ name, url }`
 * @param own the name of the one that the page is at
 * @param present the names of those that are up. Undefined: it is not known
 */
export function showNodes(sites, { own, present }) {
  const nodes = element("nodes");
  // They stay, and change: else who is at one by keyboard would lose their place.
  while (nodes.childElementCount < sites.length) nodes.append(nodeLink());
  for (const [index, { name, url }] of sites.entries()) {
    const link = nodes.children[index];
    const state = name === own ? "here" : stateOf(present?.includes(name));
    link.dataset.state = state;
    link.firstElementChild.textContent = name;
    link.lastElementChild.textContent = STATES[state];
    // What is not there is no place to go to.
    if (state === "gone") link.removeAttribute("href");
    else link.href = url;
    if (state === "here") link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  element("node").textContent = own ?? "none";
}

const STATES = { here: "you are here", reachable: "reachable", gone: "gone", unknown: "" };

function stateOf(isPresent) {
  if (isPresent === undefined) return "unknown";
  return isPresent ? "reachable" : "gone";
}

function nodeLink() {
  const link = document.createElement("a");
  link.append(part("span", "", ""), part("small", "", ""));
  return link;
}

/** @param people `{ id, name, rating, node }`, in the order in which they are to stand */
export function showPeople(people, ownId) {
  element("count").textContent = String(people.length);
  element("people").replaceChildren(...people.map((person) => lineOf(person, person.id === ownId)));
  const ratings = people.flatMap(({ rating }) => (rating === null ? [] : [rating]));
  const average = ratings.reduce((sum, rating) => sum + rating, 0) / ratings.length;
  const isRated = ratings.length > 0;
  element("average").textContent = isRated ? average.toFixed(1) : "–";
  element("bar").style.transform = `scaleX(${isRated ? average / 10 : 0})`;
  element("votes").textContent = isRated
    ? `${ratings.length} of ${people.length} ${people.length === 1 ? "visitor has" : "visitors have"} rated it`
    : "nobody has rated it yet";
}

function lineOf({ id, name, node, rating }, isOwn) {
  const line = document.createElement("li");
  line.dataset.id = id;
  const face = part("span", "face", [...name][0]?.toUpperCase() ?? "?");
  face.style.setProperty("--hue", String(hueOf(id)));
  face.setAttribute("aria-hidden", "true");
  const who = part("span", "who", "");
  // Whatever direction a name is written in, what stands beside it stays in its place.
  who.append(part("bdi", "", name), isOwn ? " (you)" : "", part("small", "", node));
  line.append(face, who, part("span", "rated", rating === null ? "" : rating.toFixed(1)));
  return line;
}

function part(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

function hueOf(id) {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  // The golden angle keeps neighbours apart.
  return Math.round((hash * 137.508) % 360);
}

export function fly(emoji) {
  const sky = element("sky");
  if (sky.childElementCount >= MOST_FLYING) return;
  const flying = part("span", "", emoji);
  flying.style.left = `${5 + Math.random() * 85}%`;
  flying.style.setProperty("--drift", `${(Math.random() - 0.5) * 8}rem`);
  flying.style.setProperty("--turn", `${(Math.random() - 0.5) * 60}deg`);
  flying.addEventListener("animationend", () => flying.remove());
  sky.append(flying);
}
