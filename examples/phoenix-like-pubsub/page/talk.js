import { latest } from "./latest.js";
import { LongPoll, Presence, Socket } from "./phoenix.mjs";
import { begin, fly, isNaming, showHint, showNodes, showPeople, showSelf, showStatus } from "./view.js";
import { guestName, remember, remembered } from "./visitor.js";

/*
 * The visitor's side, by the official client. The client connects to one address again and again; that the next node is tried
 * when one does not answer is done here. Where a load balancer stands in front of the nodes it does that, and a page needs none
 * of it.
 */

const TOPIC = "talk:main";
const NODES = "nodes";
/** What the server says to who does too much at once. */
const SLOW_DOWN = "slow down";

const CLIENT = {
  // A node that hangs is left when one heartbeat has not been answered by the time of the next: after 5 to 10 s.
  heartbeatIntervalMs: 5_000,
  // A WebSocket that is not open by then, and answers, does not get through. One that is refused is not waited for.
  longPollFallbackMs: 2_500,
  // There are no heartbeats then, but requests that the server holds for 10 s: longer than that.
  longpollerTimeout: 15_000,
  // For a join to be answered, and the fallback may be on the way to it.
  timeout: 8_000,
};
/** While the slider moves: no more often than this. */
const RATE_EVERY_MS = 100;
/** A full house says more in a second than anybody can read. */
const SHOW_EVERY_MS = 100;
/** Between two nodes, and when none has answered, so that a cluster that is away is not asked all the time. */
const NEXT_NODE_MS = 300;
const AGAIN_MS = 2_000;
/** What was too much is said again after this. */
const SLOWER_MS = 1_000;

const site = await (await fetch("site.json")).json();
const sites = site.ports.map((port, index) => ({
  name: `talk-${index + 1}`,
  url: `${location.protocol}//${location.hostname}:${port}/`,
  socket: `${location.protocol === "https:" ? "wss" : "ws"}://${location.hostname}:${port}/socket`,
}));

const self = remembered();
remember(self);
const visit = {
  /** Which of the nodes it is at, or tries. */
  index: Math.max(
    0,
    sites.findIndex(({ name }) => name === site.node),
  ),
  /** While it is in the talk. */
  channel: undefined,
  /** Nodes that have failed since it was. */
  failures: 0,
  /** Why one of them wanted nothing to do with this page, if any did. */
  refusal: undefined,
  /** The last name that the server took. */
  acceptedName: undefined,
};

const sayName = insisting("rename", () => ({ name: self.name }), {
  accepted: ({ name }, said) => acceptName(name, said),
  refused: ({ reason }, said) => refuseName(reason, said),
});
const sayRating = insisting("rate", () => ({ rating: self.rating }), {
  accepted: () => undefined,
  refused: ({ reason }) => showHint(reason),
});
const tellRating = throttled(sayRating, RATE_EVERY_MS);

begin({
  rate(rating) {
    self.rating = rating;
    remember(self);
    tellRating();
  },
  rename(name) {
    self.name = name;
    remember(self);
    sayName();
  },
  cheer(emoji) {
    if (visit.channel === undefined) showHint("Not connected just now: that was not sent.");
    visit.channel?.push("emoji", { emoji }).receive("error", ({ reason }) => {
      showHint(reason === SLOW_DOWN ? "That was a lot at once: not sent. Wait a moment." : reason);
    });
  },
});
showSelf(self);
showNodes(sites, {});
connect();

function connect() {
  const { name, socket: address } = sites[visit.index];
  const socket = new Socket(address, { ...CLIENT, params: { id: self.id } });
  let isOver = false;
  const moveOn = (why) => {
    if (isOver) return;
    isOver = true;
    visit.channel = undefined;
    visit.failures += 1;
    showLeft(name, why);
    socket.disconnect();
    visit.index = (visit.index + 1) % sites.length;
    setTimeout(connect, visit.failures < sites.length ? NEXT_NODE_MS : AGAIN_MS);
  };
  socket.onClose(() => moveOn("gone"));
  socket.onError((error, transport, established) => {
    // The client now tries long polling, by itself: WebSockets may not get through.
    if (transport !== LongPoll && established === 0) return;
    moveOn(error === 403 ? "refused" : "gone");
  });
  socket.connect();
  followNodes(socket, name);
  join(socket, name, moveOn);
}

function join(socket, node, moveOn) {
  let said;
  const channel = socket.channel(TOPIC, () => {
    said = { name: self.name, rating: self.rating };
    return said;
  });
  const presence = new Presence(channel);
  const show = throttled(() => {
    const people = presence.list((id, { metas }) => ({ ...latest(metas), id }));
    people.sort((left, right) => left.name.localeCompare(right.name) || (left.id < right.id ? -1 : 1));
    showPeople(people, self.id);
  }, SHOW_EVERY_MS);
  presence.onSync(show);
  // The client would connect to the same node again, which hangs.
  channel.onError((error) => {
    if (error?.reason === "heartbeat_timeout") moveOn("silent");
  });
  channel.on("emoji", ({ emoji }) => fly(emoji));
  channel
    .join()
    .receive("ok", ({ name }) => {
      Object.assign(visit, { channel, failures: 0, refusal: undefined });
      acceptName(name, said);
      showStatus("connected", `connected to ${node}`);
      // The join was on its way, and there was no channel to say it in.
      if (self.name !== visit.acceptedName) sayName();
      if (self.rating !== said.rating) tellRating();
    })
    .receive("error", ({ field, reason }) => {
      showStatus("moving", `not let in: ${reason}`);
      // The client joins again by itself, and does better then.
      if (field === "name") refuseName(reason, said);
    })
    .receive("timeout", () => moveOn("silent"));
}

/** Which nodes there are is presence, as are the visitors. */
function followNodes(socket, own) {
  const channel = socket.channel(NODES);
  const presence = new Presence(channel);
  presence.onSync(() => showNodes(sites, { own, present: presence.list((name) => name) }));
  channel.join();
}

function showLeft(name, why) {
  showNodes(sites, {});
  if (why === "refused") visit.refusal = `${name} refused this page: ${whyRefused()}`;
  if (visit.failures >= sites.length) {
    // The same each time, so that nobody is told again and again.
    showStatus("lost", visit.refusal ?? "no node answers; trying again …");
    return;
  }
  const said = { gone: `${name} is gone`, silent: `${name} does not answer`, refused: visit.refusal };
  showStatus("moving", `${said[why]}, moving on …`);
}

/** Nodes take pages of their own addresses only, and the name in this one's may be another. */
function whyRefused() {
  if (site.origins.includes(location.origin)) return "it does not know this visitor";
  const here = site.origins.filter((origin) => new URL(origin).port === location.port);
  return `open it at ${here.join(" or ")}, not at ${location.origin}`;
}

/** @param said with which name that was, as the visitor gave it: what the server makes of it may be another */
function acceptName(name, said) {
  visit.acceptedName = name;
  // They have thought of another one meanwhile.
  if (self.name !== said.name) return;
  self.name = name;
  remember(self);
  if (!isNaming()) showSelf(self);
}

function refuseName(reason, said) {
  // It concerns a name that they have given up: the one that they have now is another, which may have been taken already.
  if (self.name !== said.name) return;
  self.name = visit.acceptedName ?? guestName(self.id);
  remember(self);
  showSelf(self);
  showHint(`Not that name: it takes ${reason}.`);
}

/** Says it until the server takes it: what visitors see of themselves is to be what others see. */
function insisting(event, whatToSay, { accepted, refused }) {
  let timer;
  const say = () => {
    clearTimeout(timer);
    const said = whatToSay();
    visit.channel
      ?.push(event, said)
      .receive("ok", (response) => accepted(response, said))
      .receive("error", (response) => {
        if (response.reason === SLOW_DOWN) timer = setTimeout(say, SLOWER_MS);
        else refused(response, said);
      });
  };
  return say;
}

/** The last value always counts, others do not, if they come too close to each other. */
function throttled(run, everyMs) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      run();
    }, everyMs);
  };
}
