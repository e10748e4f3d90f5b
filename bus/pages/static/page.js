// What the scripts of every page use. Texts become text nodes; HTML comes only whole from the bus,
// which has escaped or cleaned all that is in it.

const facts = document.querySelector('meta[name="wakebus"]').dataset;
export const person = facts.person;
const ANSWER_MS = 30_000, AGAIN_MS = 3000, HANDS_MS = 500;

// The address of one of the bus's own paths.
export const at = (path) => facts.base + path;

// Call the bus as this page. Gives the answer; throws what the bus says where it refuses.
export async function call(method, path, body, headers = {}, signal = AbortSignal.timeout(ANSWER_MS)) {
  const answer = await fetch(at(path), {
    method,
    signal,
    cache: "no-store",
    headers: {
      "X-CSRF": facts.csrf,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  const said = isJson ? await answer.json() : await answer.text();
  if (!answer.ok) throw refusal(answer, said.detail ?? answer.statusText);
  return said;
}

const refusal = (answer, why) => Object.assign(new Error(why), { status: answer.status, after: Number(answer.headers.get("Retry-After")) });

// Give a part of a page, as nodes; throws where there is none.
export async function part(path) {
  const answer = await fetch(at(path), { cache: "no-store", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(ANSWER_MS) });
  if (answer.redirected) location.reload(); // to sign in
  const page = nodesOf(await answer.text());
  if (!answer.ok) throw refusal(answer, page.querySelector("main p")?.textContent ?? answer.statusText);
  return page.body;
}

// Send a form as it stands, without leaving the page; throws what the bus says where it refuses.
export async function submit(form, button) {
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, button)), redirect: "manual", headers: { Accept: "text/html" } });
  if (answer.type === "opaqueredirect" || answer.ok) return;
  throw refusal(answer, nodesOf(await answer.text()).querySelector("main p")?.textContent ?? answer.statusText);
}

// Build an element: make("p", {class: "soft"}, "text", another element).
export function make(name, attributes = {}, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== false) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

// Read HTML that the bus made into nodes.
function nodesOf(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

// Give what does one thing at a time. Asked for meanwhile it is done once more, since what is just
// being read may be older than what one was told; each gets the end of what began after it had asked.
export function oneAtATime(what) {
  let running = null, next = null;
  const start = () => {
    next = null;
    return (running = what().finally(() => (running = null)));
  };
  return () => next ?? (running ? (next = running.then(start, start)) : start());
}

// Read this page again and put in each part marked `data-live` that has changed; what is just being
// read is older than what was done here, and is not put in.
export function reread() {
  edition++;
  return readAgain();
}
const readAgain = oneAtATime(readOnce);
let edition = 0, isReading = false, isWanted = false;

async function readOnce() {
  if (!document.querySelector("[data-live]")) return;
  const began = Date.now(), mine = edition;
  let text = "";
  isReading = true;
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.redirected) return location.reload(); // to sign in
    if (answer.status === 429 || answer.status >= 500) throw refusal(answer, answer.statusText);
    if (answer.ok) text = await answer.text();
  } catch {
    return later(AGAIN_MS * 2 ** Math.min(failures++, 5));
  } finally {
    isReading = false;
    last = Date.now();
    tookMs = last - began;
    if (isWanted) soon();
    isWanted = false;
  }
  failures = 0;
  clearTimeout(again);
  if (text && mine === edition) putIn(nodesOf(text));
}

// What is in somebody's hands is left as it is, and comes when they have done with it.
let isInHands = () => false;
export const waitWhile = (check) => (isInHands = check);

function putIn(fresh) {
  const left = [];
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(part.id);
    if (!now || contentOf(now) === contentOf(part)) continue;
    if (isInHands(part)) left.push(part);
    else replace(part, now);
  }
  showTimes();
  if (left.length) whenFree(left);
}

function whenFree(parts) {
  later(HANDS_MS, () => (parts.some((part) => part.isConnected && isInHands(part)) ? whenFree(parts) : soon()));
}

let again = 0, failures = 0;
function later(ms, what = soon) {
  clearTimeout(again);
  again = setTimeout(what, ms);
}

// What a part says: its times are kept fresh here, so that they make no difference.
function contentOf(part) {
  const copy = part.cloneNode(true);
  for (const one of copy.querySelectorAll("time")) {
    one.textContent = "";
    one.removeAttribute("title"); // showTimes writes both, of the same moment
  }
  return copy.innerHTML;
}

// Put a part in.
export function replace(part, now) {
  exchange(part, now, () => part.replaceChildren(...now.childNodes));
}

// Put something in the place of what it was before. A form that somebody has begun to fill in goes
// with it as it is, also with which state of things it is about (`seen`); a choice that is sent as it
// is made does not: of that the bus knows best. Who was on a button, link or field stays on that one.
export function exchange(old, now, put) {
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  for (const form of old.querySelectorAll("form")) {
    const fields = [...form.querySelectorAll("input[id], textarea[id], select[id]:not([data-sends])")];
    if (!fields.some(isFilledIn) && !fields.includes(active)) continue;
    for (const one of fields) carryOver(one, sameId(now, one));
    const same = fields.map((one) => sameId(now, one)?.form).find(Boolean);
    if (same?.elements.seen) same.elements.seen.value = form.elements.seen.value;
  }
  for (const one of old.querySelectorAll("details[id]")) {
    const same = sameId(now, one);
    if (same) same.open = one.open;
  }
  const places = (part) => [...part.querySelectorAll("a, button, input, textarea, select, summary")].filter((one) => sameAs(one, active));
  const goal = active && (sameId(now, active) ?? places(now)[places(old).indexOf(active)]);
  put();
  goal?.focus({ preventScroll: true });
  if (goal?.type === "text" || goal?.type === "textarea") goal.setSelectionRange(active.selectionStart, active.selectionEnd);
}

const sameId = (part, { id }) => (id ? part.querySelector(`#${CSS.escape(id)}`) : null);
const sameAs = (one, other) => one.tagName === other.tagName && one.textContent === other.textContent;

function isFilledIn(one) {
  if (one.tagName !== "SELECT") return one.value !== one.defaultValue;
  return one.selectedIndex !== Math.max(0, [...one.options].findIndex((option) => option.defaultSelected));
}

function carryOver(one, same) {
  const isThere = one.tagName !== "SELECT" || [...(same?.options ?? [])].some(({ value }) => value === one.value);
  if (same && isThere) same.value = one.value;
}

// Read again, but not more than once in two seconds, whatever comes; where the bus has much to do
// for it, less often, so that a page takes a twentieth of its time at most.
let timer = 0;
let last = 0;
let tookMs = 0;
export function soon() {
  if (timer) return;
  timer = setTimeout(() => {
    timer = 0;
    if (isReading) isWanted = true;
    else readAgain();
  }, Math.max(150, last + Math.max(2000, 20 * tookMs) - Date.now()));
}

// Read again every so often while somebody looks, for what no event tells.
export function every(ms) {
  setInterval(() => document.visibilityState === "visible" && soon(), ms);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && soon());
}

// Times, in words that stay true.
const STEPS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"]];
function ago(atMs, nowMs = Date.now()) {
  const since = nowMs - atMs, size = Math.abs(since);
  const [step, unit] = STEPS.find(([ms]) => size >= ms) ?? [1000, "s"];
  if (unit === "s" && size < 10_000) return "just now";
  const words = `${Math.floor(size / step)} ${unit}`;
  return since > 0 ? `${words} ago` : `in ${words}`;
}

export function time(atMs) {
  const at = new Date(atMs);
  const isToday = at.toDateString() === new Date().toDateString();
  return make("time", { datetime: at.toISOString(), "data-clock": "" }, isToday ? at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : at.toLocaleString());
}

function showTimes() {
  for (const one of document.querySelectorAll("time[datetime]:not([data-clock])")) {
    const at = new Date(one.dateTime);
    const said = ago(at.getTime());
    if (one.textContent !== said) one.textContent = said;
    one.title = at.toLocaleString();
  }
}

export function keepTimesFresh() {
  showTimes();
  setInterval(showTimes, 10_000);
}
