// What happens on the bus, for the scripts of a page: on(kind, hear) and state(hear).
//
// All tabs of a browser share one connection: by a SharedWorker; where there is none, one tab has
// it and passes on what comes, found by a lock that the next tab gets when that one closes; where
// there are no locks either (a bus without TLS, opened from another machine), each has its own.
// A page begins where it was made. After a `gap`, or when it was offline, its parts that are marked
// `data-live` are read again (see page.js); a page that keeps something else hears `gap` itself.
import { Hall } from "./stream.js";
import { keepTimesFresh, soon, time } from "./page.js";

const facts = document.querySelector('meta[name="wakebus"]').dataset;
const hearers = new Map();
const watchers = new Set();
let present = { name: "connecting", since: Date.now() };

// Have `hear(data, id)` called for each event of a kind; "*" for all: hear(data, id, kind).
export function on(kind, hear) {
  if (!hearers.has(kind)) hearers.set(kind, new Set());
  hearers.get(kind).add(hear);
  return () => hearers.get(kind).delete(hear);
}

// Have `hear({name, since})` called now and at each change: connecting, live, offline, signed-out.
export function state(hear) {
  watchers.add(hear);
  hear(present);
  return () => watchers.delete(hear);
}

function take(words) {
  if (words.event) {
    const { kind, data, id } = words.event;
    for (const hear of hearers.get(kind) ?? []) hear(data, id);
    for (const hear of hearers.get("*") ?? []) hear(data, id, kind);
  } else if (words.state) {
    present = words.state;
    for (const hear of watchers) hear(present);
  }
}

const enter = { say: "enter", url: new URL(facts.stream, location.href).href, cursor: facts.cursor };

function connect() {
  const name = `wakebus ${facts.session}`;
  if (window.SharedWorker) {
    try {
      const { port } = new SharedWorker(facts.worker, { name, type: "module" });
      port.onmessage = ({ data }) => take(data);
      port.start();
      return (words) => port.postMessage(words);
    } catch {
      // The next way, then.
    }
  }
  if (navigator.locks && window.BroadcastChannel) return lead(name);
  const hall = new Hall((_page, words) => take(words));
  return (words) => hall.hear(0, words);
}

// One tab leads: it has the connection, and what the others say comes to it over the channel.
function lead(name) {
  const channel = new BroadcastChannel(name);
  const me = crypto.randomUUID();
  let hall = null;
  let cursor = facts.cursor; // of what came already: a new leader goes on from there
  const hear = (words) => {
    if (words.event?.id) cursor = words.event.id;
    take(words);
  };
  channel.onmessage = ({ data: { from, to, words } }) => {
    if (to === me) hear(words);
    else if (hall && to === "leader") hall.hear(from, words);
    else if (to === "all" && words.say === "who") say({ ...enter, cursor });
  };
  const say = (words) => (hall ? hall.hear(me, words) : channel.postMessage({ from: me, to: "leader", words }));
  navigator.locks.request(name, () => {
    hall = new Hall((page, words) => (page === me ? hear(words) : channel.postMessage({ to: page, words })));
    hall.hear(me, { ...enter, cursor });
    channel.postMessage({ to: "all", words: { say: "who" } });
    return new Promise(() => {});
  });
  return say;
}

// Every script of the page has said by then what it wants to hear.
function begin() {
  if (!facts.csrf) {
    document.getElementById("live").dataset.state = "still";
    return; // Shown by a token that was no cookie: a script has none.
  }
  const say = connect();
  say(enter);
  addEventListener("pagehide", () => say({ say: "leave" }));
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  addEventListener("online", () => say({ say: "network", isThere: true }));
  addEventListener("offline", () => say({ say: "network", isThere: false }));
  if (!navigator.onLine) say({ say: "network", isThere: false });
}
if (document.readyState === "complete") begin();
else document.addEventListener("DOMContentLoaded", begin);

on("gap", () => soon());
let wasOffline = false;
state(({ name }) => {
  if (name === "live" && wasOffline) soon();
  wasOffline = name === "offline";
});

const shown = document.getElementById("live");
state(({ name, since }) => {
  shown.dataset.state = name === "signed-out" ? "offline" : name;
  if (name === "live") shown.textContent = "live";
  else if (name === "offline") shown.replaceChildren("offline since ", time(since), ", will come back");
  else if (name === "signed-out") {
    shown.textContent = "signed out";
    location.reload();
  } else shown.textContent = "connecting";
});
keepTimesFresh();
