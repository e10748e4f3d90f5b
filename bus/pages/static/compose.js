// The box to write in: it keeps its draft, knows the names after an @, and sends by Enter.
import { make } from "./page.js";

const MOST_OFFERS = 6;
const NAMED = /(^|[^\w@./-])@([a-z0-9._-]*)$/i;

export class Compose {
  constructor(form, { draft, names, send }) {
    Object.assign(this, { form, draft, names, send });
    this.box = form.elements.body;
    this.offers = form.querySelector("#offers");
    this.at = -1;
    if (!this.box.value) this.box.value = localStorage.getItem(draft) ?? "";
    this.grow();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go(event.submitter?.value);
    });
    this.box.addEventListener("input", () => this.changed());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    addEventListener("storage", ({ key, newValue }) => {
      if (key === draft && document.activeElement !== this.box) this.write(newValue ?? "");
    });
  }

  write(text) {
    this.box.value = text;
    this.grow();
  }

  // What was taken back comes before what is there.
  giveBack(text) {
    this.write([text, this.box.value].filter(Boolean).join("\n\n"));
    this.keep();
    this.box.focus();
  }

  keep() {
    localStorage.removeItem(this.draft);
    try {
      if (this.box.value) localStorage.setItem(this.draft, this.box.value);
    } catch {
      // There is no room: it is kept as long as the page is.
    }
  }

  // Send it as a word, or as one that steers: stop, or also.
  go(what) {
    const body = this.box.value.trim();
    if (!body && what !== "stop") return;
    if (this.send(body, what) === false) return;
    this.write("");
    this.keep();
    this.close();
    this.box.focus();
  }

  changed() {
    this.keep();
    this.grow();
    this.offer();
  }

  grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight + 2}px`;
  }

  key(event) {
    if (event.isComposing) return;
    if (!this.offers.hidden) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) this.choose((this.at + step + this.offers.children.length) % this.offers.children.length);
      else if (event.key === "Enter" || event.key === "Tab") this.take(this.offers.children[this.at].dataset.name);
      else if (event.key === "Escape") this.close();
      else return;
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    // On a phone Enter is the only way to a new line.
    const isPlain = !event.shiftKey && !matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && (isPlain || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.go();
    }
  }

  offer() {
    const found = NAMED.exec(this.box.value.slice(0, this.box.selectionStart));
    const begin = found?.[2].toLowerCase();
    const names = found ? this.names().filter((name) => name.startsWith(begin) && name !== begin).slice(0, MOST_OFFERS) : [];
    if (!names.length) return this.close();
    this.offers.replaceChildren(
      ...names.map((name, at) => {
        const one = make("li", { role: "option", id: `offer-${at}`, "data-name": name }, `@${name}`);
        one.onmousedown = (event) => {
          event.preventDefault();
          this.take(name);
        };
        return one;
      }),
    );
    this.offers.hidden = false;
    this.choose(0);
  }

  choose(at) {
    this.at = at;
    [...this.offers.children].forEach((one, index) => one.setAttribute("aria-selected", String(index === at)));
    this.box.setAttribute("aria-controls", "offers");
    this.box.setAttribute("aria-activedescendant", `offer-${at}`);
  }

  take(name) {
    const end = this.box.selectionStart;
    const before = this.box.value.slice(0, end).replace(/@[a-z0-9._-]*$/i, `@${name} `);
    this.box.setRangeText(before, 0, end, "end");
    this.close();
    this.changed();
  }

  close() {
    this.offers.hidden = true;
    this.box.removeAttribute("aria-activedescendant");
  }
}
