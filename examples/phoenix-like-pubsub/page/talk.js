import { Presence, Socket } from "./phoenix.mjs";
import { begin, fly, showNodes, showPeople, showSelf, showStatus } from "./view.js";

/*
 * The visitor's side, by the official client. The client connects to one address again and again; that the next node is tried
 * when one does not answer is done here. Where a load balancer stands in front of the nodes it does that, and a page needs none
 * of it.
 */

const TOPIC = "talk:main";
/** While the slider moves: no more often than this. */
const RATE_EVERY_MS = 100;
/** Between two nodes, so that a cluster that is away is not asked all the time. */
const NEXT_NODE_MS = 300;

const site = await (await fetch("site.json")).json();
const sites = site.ports.map((port, index) => ({
  name: `talk-${index + 1}`,
  url: `${location.protocol}//${location.hostname}:${port}/`,
  socket: `${location.protocol === "https:" ? "wss" : "ws"}://${location.hostname}:${port}/socket`,
}));

const self = remembered();
remember();
const visit = {
  current: Math.max(
    0,
    sites.findIndex(({ name }) => name === site.node),
  ),
  channel: undefined,
};

begin({
  rate: throttled((rating) => change("rate", { rating })),
  rename: (name) => change("rename", { name }),
  cheer: (emoji) => visit.channel?.push("emoji", { emoji }),
});
showSelf(self);
showNodes(sites, sites[visit.current].url);
connect();

function connect() {
  const { name, socket: address } = sites[visit.current];
  const socket = new Socket(address, {
    params: { id: self.id },
    heartbeatIntervalMs: 5_000,
    longPollFallbackMs: 3_000,
    timeout: 4_000,
  });
  let isOver = false;
  const moveOn = () => {
    if (isOver) return;
    isOver = true;
    visit.channel = undefined;
    showStatus("moving", `${name} is gone, moving on …`);
    socket.disconnect();
    visit.current = (visit.current + 1) % sites.length;
    setTimeout(connect, NEXT_NODE_MS);
  };
  socket.onClose(moveOn);
  socket.onError(() => {
    // With its fallback the client tries once more by itself, by long polling, where WebSockets do not get through.
    if (!socket.isConnected()) moveOn();
  });
  socket.connect();
  join(socket, name, moveOn);
}

function join(socket, node, moveOn) {
  const channel = socket.channel(TOPIC, () => ({ name: self.name, rating: self.rating }));
  const presence = new Presence(channel);
  presence.onSync(() => {
    showPeople(
      presence
        .list((id, { metas }) => {
          // Two for a moment, when somebody has moved and their former node is not known to be gone: the later counts.
          const { name, node: at, rating } = metas.at(-1);
          return { id, name, node: at, rating };
        })
        .sort((left, right) => left.name.localeCompare(right.name) || (left.id < right.id ? -1 : 1)),
      self.id,
    );
  });
  channel.on("emoji", ({ emoji }) => fly(emoji));
  channel
    .join()
    .receive("ok", () => {
      visit.channel = channel;
      showStatus("connected", `connected to ${node}`, node);
    })
    .receive("error", ({ reason }) => showStatus("moving", `not let in: ${reason}`, node))
    .receive("timeout", moveOn);
}

function change(event, values) {
  Object.assign(self, values);
  remember();
  visit.channel?.push(event, values);
}

/** The same visitor after a reload, or at another node; another one in another tab. */
function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem("visitor") ?? "null");
    if (isVisitor(kept)) return kept;
  } catch {
    // It is not to be had, or not ours: a new visitor.
  }
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const fruit = ["Apricot", "Cherry", "Fig", "Lemon", "Mango", "Melon", "Olive", "Peach", "Plum", "Quince"];
  return { id, name: `${fruit[bytes[0] % fruit.length]} ${bytes[1] % 100}`, rating: null };
}

function remember() {
  try {
    sessionStorage.setItem("visitor", JSON.stringify(self));
  } catch {
    // A private window: forgotten with the page.
  }
}

function isVisitor(kept) {
  if (typeof kept !== "object" || kept === null) return false;
  const { id, name, rating } = kept;
  return (
    /^[a-z0-9]{8,32}$/.test(id) && typeof name === "string" && (rating === null || typeof rating === "number")
  );
}

/** The last value is always told, others are not, if they come too close to each other. */
function throttled(run) {
  let isWaiting = false;
  let latest;
  return (value) => {
    latest = value;
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      run(latest);
    }, RATE_EVERY_MS);
  };
}
