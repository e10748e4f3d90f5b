// What the scripts of every page use. Texts become text nodes; HTML comes only whole from the bus,
// which has escaped or cleaned all that is in it.

const facts = document.querySelector('meta[name="wakebus"]').dataset;
export const person = facts.person;

// The address of one of the bus's own paths.
export const at = (path) => facts.base + path;

// Call the bus as this page. Gives the answer; throws what the bus says where it refuses.
export async function call(method, path, body, headers = {}, signal = undefined) {
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
  const answer = await fetch(at(path), { cache: "no-store", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(30_000) });
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

// Read this page again and put in each part marked `data-live` that has changed.
let running = null;
let wanted = false;
export async function reread() {
  if (running) {
    wanted = true;
    return running;
  }
  running = readOnce().finally(() => {
    running = null;
    if (wanted) soon();
    wanted = false;
  });
  return running;
}

async function readOnce() {
  if (!document.querySelector("[data-live]")) return;
  let text;
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store", headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload(); // to sign in
    if (!answer.ok) return;
    text = await answer.text();
  } catch {
    return; // No network; when the stream is back, the page is read again.
  }
  const fresh = nodesOf(text);
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(part.id);
    if (now && contentOf(now) !== contentOf(part)) replace(part, now);
  }
  showTimes();
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

// Put a part in; who was on one of its buttons or links stays on that one.
export function replace(part, now) {
  const active = part.contains(document.activeElement) ? document.activeElement : null;
  const place = active && [...part.querySelectorAll("a, button, input, summary")].filter((one) => sameAs(one, active)).indexOf(active);
  part.replaceChildren(...now.childNodes);
  if (active) [...part.querySelectorAll("a, button, input, summary")].filter((one) => sameAs(one, active))[place]?.focus();
}

const sameAs = (one, other) => one.tagName === other.tagName && one.textContent === other.textContent;

// Read again, but not more than once in two seconds, whatever comes; where the bus has much to do
// for it, less often, so that a page takes a twentieth of its time at most.
let timer = 0;
let last = 0;
let tookMs = 0;
export function soon() {
  if (timer) return;
  const pauseMs = last + Math.max(2000, 20 * tookMs) - Date.now();
  timer = setTimeout(async () => {
    timer = 0;
    const began = Date.now();
    await reread();
    last = Date.now();
    tookMs = last - began;
  }, Math.max(150, pauseMs));
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
