// A session as it is now: what comes is put in, what is written is sent, once and in order.
import { on, state } from "./live.js";
import { Compose } from "./compose.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { follow, followAgain } from "./outputs.js";
import { make, oneAtATime, part, person, replace, submit } from "./page.js";
import { Reading } from "./reading.js";

const $ = (id) => document.getElementById(id);
const facts = $("conversation").dataset;
const id = facts.session;
const path = `/sessions/${id}`;
const PEOPLE_MS = 20_000;
document.documentElement.classList.add("scripted");

// What was said.
const box = $("log"), jump = $("jump"), older = $("older");
const cursor = Number(facts.cursor), newest = Number(facts.last);
const log = new Log(box, $("entries"), { path, newest, since: $("entries").querySelector(".since") ? cursor : 0, hear: { came, moved, busy, refused } });
const reading = new Reading(log, `/api${path}`, cursor);

function came(entry, isOld) {
  $("empty")?.remove();
  follow(entry, (change) => log.still(change));
  if (isOld || entry.classList.contains("mine")) return;
  entry.classList.add("fresh");
  const before = Number(entry.dataset.place) - 1;
  if (!reading.isLooking && reading.cursor === before) log.mark(before);
}

function moved() {
  reading.look();
  const left = log.newest - Math.max(reading.cursor, log.isWhole ? 0 : log.last);
  const isFar = log.isBehind || log.fromEnd > box.clientHeight;
  jump.hidden = log.isAtEnd && !log.isBehind ? true : !(isFar || left > 0);
  jump.textContent = left > 0 && !log.isAtEnd ? `${left} new ↓` : "To the newest ↓";
  older.replaceChildren(log.first > 1 ? make("span", { class: "soft" }, "Older ones come as you scroll") : make("span", { class: "soft" }, "The beginning"));
  const unread = Math.max(0, log.newest - reading.cursor);
  const title = $("title").textContent;
  document.title = `${unread ? `(${unread}) ` : ""}${title} · wakebus`;
}

// Older entries are no news: they are not read out.
function busy(is) {
  box.setAttribute("aria-live", is ? "off" : "polite");
  older.classList.toggle("busy", is);
}

function refused(error) {
  if (error.status === 401) return location.reload();
  $("trouble").hidden = false;
  $("trouble").textContent = error.status === 404 ? "You are not in this session any more." : error.message;
  if (error.status === 404) $("compose").hidden = true;
}

jump.onclick = () => log.toEnd();
log.isBehind = !log.isWhole;
begin();

// Where one begins: at what was sought, at what is new, or at the end.
function begin() {
  const sought = location.hash.startsWith("#place-") && $(location.hash.slice(1));
  const line = $("entries").querySelector(".since");
  if (sought) sought.scrollIntoView({ block: "center" });
  else if (line && !log.isBehind) line.scrollIntoView({ block: "start" });
  else if (!log.isBehind) box.scrollTop = 0;
  for (const one of log.entries()) follow(one, (change) => log.still(change));
  log.look();
}
addEventListener("hashchange", begin);

// What is written.
const outbox = new Outbox($("waiting"), {
  name: `wakebus unsent ${person} ${id}`,
  path: `/api${path}`,
  hear: (place) => log.heard(place).then(() => box.scrollTo({ top: 0 })),
});
const compose = new Compose($("compose"), {
  draft: `wakebus draft ${person} ${id}`,
  names: () => [...$("people").querySelectorAll("li[data-name]")].map((one) => one.dataset.name).filter((name) => name !== person),
  send(body, what) {
    const to = what ? agentsIn(body) : [];
    if (what === "stop" && !confirm(`Stop the work of ${to.join(", ") || "all agents here"}?`)) return false;
    outbox.add(body, what && { what, to });
    log.toEnd();
    return true;
  },
});
$("waiting").addEventListener("back", ({ detail }) => compose.giveBack(detail));

// The agents whom a text names: steering is for those alone, where it names any.
function agentsIn(text) {
  const there = [...$("people").querySelectorAll('li[data-name]:not([data-kind="person"])')].map((one) => one.dataset.name);
  const named = [...text.matchAll(/(?<![\w@./-])@([a-z0-9][a-z0-9._-]*)/gi)].map(([, name]) => name.toLowerCase());
  return there.filter((name) => named.some((one) => one === name || one.replace(/[._-]+$/, "") === name));
}

// What the bus tells.
on("entry", (entry) => {
  if (entry.session !== id) return;
  // Where the answer to one's own word is under way, its entry comes with it.
  const sooner = entry.from === person && outbox.posting ? Promise.race([outbox.posting, new Promise((go) => setTimeout(go, 1000))]) : Promise.resolve();
  sooner.then(() => log.heard(entry.place));
});
on("session", (news) => {
  if (news.what === "presence") return showPresence(news);
  if (news.session !== id) return;
  if (news.what === "cursor") {
    reading.heard(news.place);
    moved();
  } else people();
});
on("gap", () => {
  log.mend();
  people();
});
let wasOffline = false;
state(({ name }) => {
  outbox.network(name !== "offline");
  if (name === "live" && wasOffline) {
    followAgain();
    log.mend();
    people();
  }
  wasOffline = name === "offline";
});
addEventListener("focus", () => reading.look());

// Who is there. Of people an event tells; of agents none, so it is asked for while somebody looks.
const people = oneAtATime(showPeople);
// What is told is steadier than what is asked: who only opens another page is not away.
function showPresence({ who, online }) {
  const shown = $("people").querySelector(`li[data-name="${CSS.escape(who)}"] .presence`);
  if (!shown) return;
  shown.className = `presence ${online ? "here" : "away"}`;
  shown.replaceChildren(make("span", { "aria-hidden": "true" }, online ? "●" : "○"), online ? " here" : " away");
  countHere();
}
function countHere() {
  $("here-count").textContent = $("people").querySelectorAll(".presence.here").length + 1;
}
async function showPeople() {
  let now;
  try {
    now = (await part(`${path}/people`)).querySelector(".people-list");
  } catch (error) {
    return error.status === 404 ? refused(error) : undefined;
  }
  const there = $("people");
  if (!there.contains(document.activeElement) || document.activeElement.tagName !== "SELECT") {
    const fresh = make("div", {}, document.importNode(now, true));
    if (fresh.innerHTML !== there.innerHTML.trim()) replace(there, fresh);
  }
  countHere();
  const { title, state: is } = now.dataset;
  $("title").textContent = title;
  for (const [name, shows] of [["compose", is === "open"], ["close", is === "open"], ["reopen", is !== "open"], ["closed", is !== "open"]]) $(name).hidden = !shows;
  reading.heard(Number(now.dataset.cursor) || 0);
  moved();
}
setInterval(() => document.visibilityState === "visible" && people(), PEOPLE_MS);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && people());
people();

// Forms at the side do what they say and stay.
document.addEventListener("change", ({ target }) => target.matches("[data-sends]") && target.form.requestSubmit());
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-aside]")) return;
  event.preventDefault();
  const trouble = $("trouble");
  trouble.hidden = true;
  try {
    await submit(form, event.submitter);
    form.closest("details")?.removeAttribute("open");
    if (form.querySelector("#invite-name")) form.reset();
  } catch (error) {
    trouble.hidden = false;
    trouble.textContent = error.message;
    if (form.querySelector("[data-sends]")) form.reset(); // to what was there before
  }
  await people();
});

// On a phone the side is shown instead of what was said.
const show = $("show-aside");
show.onclick = () => {
  const is = $("conversation").classList.toggle("aside-shown");
  show.setAttribute("aria-expanded", String(is));
};

// A keyboard on the screen makes the window smaller in some browsers, and lies over it in others.
const view = window.visualViewport;
view?.addEventListener("resize", () => {
  const hidden = Math.max(0, innerHeight - view.height - view.offsetTop);
  document.documentElement.style.setProperty("--keyboard", `${view.scale === 1 ? hidden : 0}px`);
});
