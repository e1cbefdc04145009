import { Access } from "./access.js";
import { drawDirectory } from "./directory.js";
import { arrange, element, made, setParts, setText } from "./dom.js";
import { drawClashes, drawRates, drawTimeline } from "./happenings.js";
import { Live } from "./live.js";
import { Model } from "./model.js";
import { drawPicture } from "./picture.js";
import { shortened, visible } from "./safe-text.js";
import { situation } from "./situation.js";
import { counted, lasting } from "./words.js";

/*
 * What comes changes the model at once, and what is shown once in a frame at most; the long lists less often.
 */

const LISTS_EVERY_MS = 300;
const TICK_MS = 1_000;
const READY_EVERY_MS = 5_000;
/** How long a page that nobody looks at keeps its connection, of which a browser has six for all pages of a server. */
const HIDDEN_MS = 30_000;
const RESYNCED_MS = 15_000;

const scope = new URLSearchParams(location.search).get("scope") ?? "default";
const model = new Model();
/** @type {import("./live.js").Status} */
let status = { kind: "connecting" };
let statusAtMs = Date.now();
let heardAtMs = Date.now();
let isDue = false;
let isListDue = true;
let isListTimed = false;
let listedAtMs = 0;

const search = /** @type {HTMLInputElement} */ (element("search"));
const nameKind = /** @type {HTMLSelectElement} */ (element("name-kind"));
const eventKind = /** @type {HTMLSelectElement} */ (element("event-kind"));
const hold = /** @type {HTMLButtonElement} */ (element("hold"));
let isHeld = false;

const access = new Access(() => {
  live.start();
  showLists();
});

const live = new Live({
  url: `v1/watch/all?scope=${encodeURIComponent(scope)}`,
  fetch: (...given) => fetch(...given),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
  token: () => access.token,
  onEvents(events) {
    heardAtMs = Date.now();
    for (const { data, event } of events) model.take(event, data, heardAtMs);
    showLists();
  },
  onStatus(now) {
    if (now.kind === "refused" && now.status === 401) access.ask(`The service says: ${now.why}`);
    status = now;
    statusAtMs = Date.now();
    show();
  },
});

function show() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(draw);
}

function showLists() {
  isListDue = true;
  show();
}

function draw() {
  isDue = false;
  const nowMs = Date.now();
  const nodeMs = nowMs + model.skewMs;
  drawStatus(nowMs);
  drawHead();
  drawSituation(nodeMs);
  drawPicture(model, nodeMs);
  drawClashes(model);
  drawRates(model.timeline.rates(nodeMs));
  setText(element("name-count"), model.names.size.toLocaleString("en"));
  setText(element("strict-count"), model.strict.size.toLocaleString("en"));
  setText(element("group-count"), model.groups.size.toLocaleString("en"));
  setText(element("member-count"), counted(model.members, "membership"));
  if (!isListDue) return;
  if (nowMs - listedAtMs < LISTS_EVERY_MS) {
    if (!isListTimed) setTimeout(showTimed, LISTS_EVERY_MS - (nowMs - listedAtMs));
    isListTimed = true;
    return;
  }
  isListDue = false;
  listedAtMs = nowMs;
  const text = search.value.trim();
  drawDirectory(model, {
    text,
    kind: nameKind.value,
    canEvict: access.canEvict,
    evict: (row) => access.confirmEvict(row, scope),
  });
  if (!isHeld) drawTimeline(model, { text, kind: eventKind.value });
}

function showTimed() {
  isListTimed = false;
  show();
}

function drawHead() {
  const { hello } = model;
  if (hello === undefined) return;
  setText(element("cluster"), shortened(visible(hello.cluster), 40));
  setText(element("self"), shortened(visible(hello.name), 40));
  setText(element("version"), hello.version);
  const scopes = /** @type {HTMLSelectElement} */ (element("scope"));
  element("scope-field").hidden = hello.scopes.length < 2;
  arrange(
    scopes,
    hello.scopes,
    (one) => one,
    (one) => {
      const option = made("option", "", shortened(visible(one), 40));
      option.value = one;
      option.selected = one === scope;
      return option;
    },
    () => {},
  );
}

/** @param {number} nowMs */
function drawStatus(nowMs) {
  const pill = element("status");
  pill.dataset["state"] = status.kind;
  setText(element("status-text"), statusWords(nowMs));
  const isStale = status.kind !== "live" && model.hello !== undefined;
  document.body.classList.toggle("stale", isStale);
  element("stale").hidden = !isStale;
  if (isStale)
    setText(
      element("stale"),
      `The node that serves this page is not heard. What is shown is ${lasting(nowMs - heardAtMs)} old.`,
    );
}

/** @param {number} nowMs */
function statusWords(nowMs) {
  if (status.kind === "live") return nowMs - model.resyncedAtMs < RESYNCED_MS ? "Live, resynced" : "Live";
  if (status.kind === "connecting") return model.hello === undefined ? "Connecting" : "Reconnecting";
  if (status.kind === "waiting") {
    const seconds = Math.max(0, Math.ceil((statusAtMs + status.ms - nowMs) / 1_000));
    return seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting";
  }
  if (status.kind === "paused") return "Paused";
  return status.status === 401 ? "Token needed" : `Refused: ${shortened(visible(status.why), 60)}`;
}

/** @param {number} nodeMs */
function drawSituation(nodeMs) {
  const { details, headline, spoken, tone } = situation(model, nodeMs);
  element("stage").dataset["tone"] = tone;
  setText(element("headline"), headline);
  setParts(element("details"), details);
  setText(element("spoken"), spoken);
  document.title = tone === "bad" || tone === "warn" ? `⚠ ${headline} · Rollcall` : "Rollcall";
}

async function lookWhetherReady() {
  if (document.hidden) return;
  const pill = element("ready");
  try {
    const response = await fetch("readyz", { cache: "no-store" });
    const { checks, ready } = await response.json();
    pill.dataset["state"] = ready ? "ready" : "unready";
    const bad = checks.filter((/** @type {{ ok: boolean }} */ { ok }) => !ok).length;
    setText(element("ready-text"), ready ? "Ready" : `Not ready: ${counted(bad, "check")} failed`);
    arrange(
      element("checks"),
      checks,
      ({ name }) => name,
      () => {
        const line = made("li");
        line.append(made("b"), made("span"));
        return line;
      },
      (line, { detail, name, ok }) => {
        line.dataset["ok"] = String(ok);
        setText(line.children[0], `${ok ? "✓" : "✕"} ${name}`);
        setText(line.children[1], visible(detail));
      },
    );
  } catch {
    pill.dataset["state"] = "unknown";
    setText(element("ready-text"), "Readiness unknown");
  }
}

for (const input of [search, nameKind, eventKind])
  input.addEventListener("input", () => {
    listedAtMs = 0;
    showLists();
  });
hold.addEventListener("click", () => {
  isHeld = !isHeld;
  hold.setAttribute("aria-pressed", String(isHeld));
  setText(hold, isHeld ? "Go on" : "Hold");
  showLists();
});
element("scope").addEventListener("change", (event) => {
  const chosen = /** @type {HTMLSelectElement} */ (event.target).value;
  location.search = new URLSearchParams({ scope: chosen }).toString();
});

let hiding = setTimeout(() => {}, 0);
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => live.pause(), HIDDEN_MS);
  else {
    if (status.kind === "paused") live.start();
    void lookWhetherReady();
    show();
  }
});
addEventListener("resize", show);
setInterval(show, TICK_MS);
setInterval(() => void lookWhetherReady(), READY_EVERY_MS);
void lookWhetherReady();
live.start();
