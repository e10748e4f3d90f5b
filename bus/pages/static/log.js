// What was said, as far as it is in the page: places without a gap, each once.
//
// A place is a number, the next entry has the next one. So what is missing is always "all after the
// last one here", whatever was the reason that it did not come: a cut, a sleep, a bus that began
// again. Far entries are dropped where there are too many, and read again when one comes there.
import { exchange, make, part } from "./page.js";

const MOST = 1500, KEPT = 1000; // entries in the page
const PAGE = 100;
const NEAR_PX = 800;
const TOGETHER_MS = 300_000;
const AGAIN_MS = 1500, LONGEST_MS = 20_000;

export class Log {
  constructor(box, list, { path, newest, since, hear }) {
    Object.assign(this, { box, list, path, newest, since, hear });
    this.hears = []; // entries that came, changed or went: hear.came(li), hear.moved()
    this.turn = Promise.resolve();
    this.failures = 0;
    for (const one of this.entries()) this.settle(one);
    box.addEventListener("scroll", () => this.look(), { passive: true });
    new ResizeObserver(() => this.look()).observe(box);
  }

  entries() {
    return [...this.list.querySelectorAll("li[data-place]")];
  }
  get first() {
    return Number(this.list.querySelector("li[data-place]")?.dataset.place ?? this.newest + 1);
  }
  get last() {
    return Number(this.list.lastElementChild?.dataset.place ?? 0);
  }
  get isWhole() {
    return this.last >= this.newest;
  }
  get fromEnd() {
    return Math.abs(this.box.scrollTop); // the box runs from its end
  }
  get isAtEnd() {
    return this.fromEnd < 60;
  }
  find(place) {
    return this.list.querySelector(`#place-${place}`);
  }

  // An entry was written or has changed. One that is still on its way here may have been read before
  // its change: whether it is here is asked when what was begun before is done.
  heard(place) {
    const isNew = place > this.newest;
    this.newest = Math.max(this.newest, place);
    return this.do(() => (!isNew && this.find(place) ? this.refresh(place) : this.readOn()));
  }

  catchUp() {
    return this.do(() => this.readOn());
  }

  // Read what is after the last entry here, unless its reader is elsewhere with much between.
  async readOn() {
    while (!this.isBehind) {
      const page = await this.read(`after=${this.last}`);
      if (!page.length) break;
      this.put(page);
      if (!this.isAtEnd || this.isWhole) break;
    }
  }

  // Something may have changed that no event told of: what is after, and what had not ended.
  mend() {
    this.do(async () => {
      const page = await this.read(`after=${this.last}`);
      this.put(page);
      if (!this.isWhole && !this.isBehind) setTimeout(() => this.catchUp());
      for (const one of this.list.querySelectorAll('li[data-state="open"]')) await this.refresh(Number(one.dataset.place));
    });
  }

  // One thing after the other; what fails for want of a network is tried again.
  do(what) {
    const done = this.turn.then(what).then(
      () => (this.failures = 0),
      (error) => {
        if (error.status >= 400 && error.status < 500 && error.status !== 429) return this.hear.refused(error);
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.mend(), Math.min(LONGEST_MS, AGAIN_MS * 2 ** this.failures++));
      },
    );
    this.turn = done.then(() => this.hear.moved());
    return this.turn;
  }

  async read(which, limit = PAGE) {
    const page = (await part(`${this.path}/entries?${which}&limit=${limit}`)).querySelector("ol");
    this.newest = Math.max(this.newest, Number(page.dataset.last));
    return [...page.querySelectorAll("li[data-place]")].map((one) => document.importNode(one, true));
  }

  async refresh(place) {
    const [now] = await this.read(`after=${place - 1}`, 1);
    const there = this.find(place);
    if (!now || !there || Number(now.dataset.place) !== place) return;
    if (now.dataset.stream && now.dataset.stream === there.dataset.stream) return; // read as it comes
    this.still(() => exchange(there, now, () => there.replaceWith(now)));
    this.settle(now);
    this.hear.came(now, true);
  }

  // Put a page in where it belongs; what is there already stays, what would leave a gap is let go.
  put(page) {
    const older = [], newer = [];
    for (const one of page) {
      const place = Number(one.dataset.place);
      if (this.find(place)) continue;
      (place < this.first && this.list.firstElementChild ? older : newer).push(one);
    }
    this.still(() => {
      if (older.length && Number(older.at(-1).dataset.place) === this.first - 1) {
        const next = this.entries()[0];
        this.list.prepend(...older);
        [...older, next].forEach((one) => this.settle(one));
      }
      for (const one of newer) {
        if (this.list.lastElementChild && Number(one.dataset.place) !== this.last + 1) break;
        this.list.append(one);
        this.settle(one);
        this.hear.came(one, false);
      }
      for (const one of older) this.hear.came(one, true);
      this.trim(older.length > 0);
    });
  }

  // Let go of the far ones.
  trim(fromEnd) {
    const all = this.entries();
    if (all.length <= MOST) return;
    if (fromEnd) {
      for (const one of all.slice(KEPT)) this.remove(one);
      this.isBehind = true;
    }
    else if (this.isAtEnd) for (const one of all.slice(0, -KEPT)) this.remove(one);
    while (this.list.lastElementChild && !this.list.lastElementChild.dataset.place) this.list.lastElementChild.remove();
    const first = this.entries()[0];
    if (first) this.settle(first);
  }

  remove(one) {
    for (let before = one.previousElementSibling; before && !before.dataset.place; before = one.previousElementSibling) before.remove();
    one.remove();
  }

  // Change the list without moving what is being looked at.
  still(change) {
    const edge = this.box.getBoundingClientRect().top;
    const seen = this.isAtEnd ? null : this.entries().find((one) => one.getBoundingClientRect().bottom > edge);
    const before = seen?.getBoundingClientRect().top;
    change();
    if (seen?.isConnected) this.box.scrollTop += seen.getBoundingClientRect().top - before;
    else if (!seen) this.box.scrollTop = 0;
  }

  // Read on where one scrolls to.
  look() {
    this.hear.moved();
    if (this.isReading || !this.list.firstElementChild) return;
    const { scrollHeight, clientHeight } = this.box;
    const wantsOlder = this.first > 1 && scrollHeight - clientHeight - this.fromEnd < NEAR_PX;
    const wantsNewer = this.isBehind && this.fromEnd < NEAR_PX;
    if (!wantsOlder && !wantsNewer) return;
    this.isReading = true;
    this.hear.busy(true);
    this.do(async () => {
      const page = await this.read(wantsOlder ? `before=${this.first}` : `after=${this.last}`);
      if (!wantsOlder) this.isBehind = Number(page.at(-1)?.dataset.place ?? this.newest) < this.newest;
      this.put(page);
    }).then(() => {
      this.hear.busy(false);
      setTimeout(() => {
        this.isReading = false;
        this.look();
      }, this.failures ? AGAIN_MS : 0);
    });
  }

  // Go to the end, also where what lies between is not here.
  async toEnd() {
    if (!this.isWhole)
      await this.do(async () => {
        const page = await this.read("");
        this.list.replaceChildren();
        this.put(page);
        this.isBehind = false;
      });
    this.box.scrollTop = 0;
  }

  // Whether what is here ends before what was said last, because its reader is far from there.
  get isBehind() {
    return this.behind && !this.isWhole;
  }
  set isBehind(is) {
    this.behind = is;
  }

  // Draw the line before what is new, or move it.
  mark(since) {
    this.since = since;
    this.list.querySelectorAll(".since").forEach((one) => one.remove());
    const one = this.find(since + 1);
    if (one) this.settle(one);
  }

  // What stands before an entry follows from the one before it: a day, a line, a name or none.
  settle(one) {
    for (let before = one.previousElementSibling; before && !before.dataset.place; before = one.previousElementSibling) before.remove();
    const before = one.previousElementSibling;
    const at = timeOf(one), day = at.toDateString();
    const isNewDay = !before || timeOf(before).toDateString() !== day;
    const isSince = this.since && Number(one.dataset.place) === this.since + 1;
    const said = (entry) => entry?.dataset.kind === "message" && `${entry.dataset.from} ${entry.dataset.trust}`;
    const goesOn = !isNewDay && !isSince && said(one) && said(one) === said(before) && at - timeOf(before) < TOGETHER_MS;
    one.classList.toggle("goes-on", Boolean(goesOn));
    if (isNewDay) one.before(make("li", { class: "day" }, dayOf(at)));
    if (isSince) one.before(make("li", { class: "since" }, "new since you were here"));
    for (const time of one.querySelectorAll("time:not([data-clock])")) showClock(time);
  }
}

const timeOf = (one) => new Date(one.querySelector("time").dateTime);

function dayOf(at) {
  const days = Math.round((new Date().setHours(12, 0, 0, 0) - new Date(at).setHours(12, 0, 0, 0)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return at.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", ...(days > 300 ? { year: "numeric" } : {}) });
}

function showClock(time) {
  const at = new Date(time.dateTime);
  const isWhole = time.closest("[data-until]") && at.toDateString() !== new Date().toDateString();
  time.dataset.clock = "";
  time.title = at.toLocaleString();
  time.textContent = isWhole ? at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
