// What was written and is not said yet. It is on the disk of this browser from the moment of
// sending until the bus has answered; each has a key, so that sent twice it is said once; one after
// the other, so that they are said in the order in which they were written.
import { call, make } from "./page.js";

const ANSWER_MS = 20_000;
const SHOWN_MS = 1000; // until its entry takes its place
const FIRST_MS = 700, LONGEST_MS = 20_000;
const KNOWN_MS = 20 * 3_600_000; // the bus knows a key for a day

export class Outbox {
  constructor(list, { name, path, hear }) {
    Object.assign(this, { list, name, path, hear, failures: 0, isOffline: false });
    this.unkept = new Map(); // where the browser keeps nothing, or has no room
    addEventListener("storage", ({ key }) => key?.startsWith(name) && this.show());
    this.show();
    this.send();
  }

  // Each has a line of its own on the disk: two tabs that write at once take nothing from each other.
  read() {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(`${this.name} `));
    const kept = names.map((name) => JSON.parse(localStorage.getItem(name) ?? "null")).filter(Boolean);
    return [...kept, ...this.unkept.values()].sort((one, other) => one.at - other.at);
  }
  line = ({ at, key }) => `${this.name} ${at} ${key}`;
  keep(one) {
    try {
      localStorage.setItem(this.line(one), JSON.stringify(one));
    } catch {
      this.unkept.set(one.key, one);
    }
    this.show();
  }
  forget(one) {
    localStorage.removeItem(this.line(one));
    this.unkept.delete(one.key);
  }
  set(one, facts) {
    if (this.read().some(({ key }) => key === one.key)) this.keep({ ...one, ...facts });
  }

  // `steers` is what makes it more than a word: {what, to}.
  add(body, steers) {
    const key = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
    const at = Math.max(Date.now(), (this.read().at(-1)?.at ?? 0) + 1);
    this.keep({ key, at, body, steers });
    this.send();
  }

  // The connection says that it is there, or not.
  network(isThere) {
    this.isOffline = !isThere;
    if (isThere) this.failures = 0;
    this.show();
    if (isThere) this.send();
  }

  async send() {
    clearTimeout(this.timer);
    if (this.posting) return;
    const next = this.read().find((one) => !one.refused);
    if (!next || !navigator.onLine) return;
    if (next.tried && Date.now() - next.tried > KNOWN_MS) {
      this.set(next, { refused: "it may have been said a day ago; look, and send it again or take it back" });
      return this.send();
    }
    if (!next.tried) this.set(next, { tried: (next.tried = Date.now()) });
    this.posting = this.post(next);
    await this.posting;
    this.posting = null;
    if (this.failures) this.timer = setTimeout(() => this.send(), this.pause);
    else this.send();
  }

  async post(one) {
    const { key, body, steers } = one;
    try {
      const said = await call("POST", `${this.path}/${steers ? "steer" : "entries"}`, { body, ...steers }, { "Idempotency-Key": key }, AbortSignal.timeout(ANSWER_MS));
      this.failures = 0;
      this.forget(one);
      await Promise.race([this.hear(said.place), new Promise((go) => setTimeout(go, SHOWN_MS))]);
      this.show();
    } catch (error) {
      const isForGood = error.status >= 400 && error.status < 500 && ![401, 408, 429].includes(error.status);
      if (isForGood) {
        this.failures = 0;
        return this.set(one, { refused: error.message });
      }
      this.pause = Math.max((error.after || 0) * 1000, Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures++));
      this.show();
    }
  }

  show() {
    const waits = this.isOffline || this.failures > 0;
    this.list.replaceChildren(...this.read().map((one) => this.draw(one, waits)));
  }

  draw(one, waits) {
    const { body, steers, tried, refused } = one;
    const again = make("button", { type: "button", class: "quiet" }, "Send again");
    const back = make("button", { type: "button", class: "quiet" }, "Take back");
    again.onclick = () => {
      this.set(one, { refused: undefined, tried: undefined });
      this.send();
    };
    back.onclick = () => {
      this.forget(one);
      this.show();
      this.list.dispatchEvent(new CustomEvent("back", { detail: body, bubbles: true }));
    };
    const state = refused ? `not sent: ${refused}` : waits ? "waiting to be sent" : "sending…";
    const buttons = refused ? [again, back] : waits && !tried ? [back] : [];
    const line = make("p", { class: refused ? "what refused" : "what soft" }, state, ...buttons.flatMap((one) => [" ", one]));
    return make("li", { class: "entry mine unsent" }, make("div", { class: "said-there" }, make("div", { class: "words plain-words" }, [steers?.what, body].filter(Boolean).join(": ")), line));
  }
}
