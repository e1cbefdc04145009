/*
 * What the page shows. It is told what is so, and says what the visitor does; it knows nothing of nodes and sockets.
 */

const EMOJI = ["👏", "❤️", "😂", "🤯", "🤔"];
/** In the air at once: a full house sends more than anybody can see. */
const MOST_FLYING = 60;

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

function showOwnRating(rating) {
  element("rating-text").textContent = rating.toFixed(1);
}

/** @param state `connecting`, `connected` or `moving` */
export function showStatus(state, text, node) {
  element("status").dataset.state = state;
  element("status-text").textContent = text;
  if (node !== undefined) element("node").textContent = node;
}

export function showNodes(sites, own) {
  const links = sites.map(({ name, url }) => {
    const link = document.createElement("a");
    link.href = url;
    link.textContent = name;
    if (url === own) link.setAttribute("aria-current", "true");
    return link;
  });
  element("nodes").replaceChildren(...links);
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
  face.style.background = `hsl(${hueOf(id)} 55% 45%)`;
  face.setAttribute("aria-hidden", "true");
  const who = part("span", "who", isOwn ? `${name} (you)` : name);
  who.append(part("small", "", node));
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
