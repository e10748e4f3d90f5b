// How far one has read: what was seen in a window that one looks at. It follows a person to every
// device, so that it is told to the bus, and goes only forward.
import { call } from "./page.js";

const PAUSE_MS = 350, AGAIN_MS = 5000;

export class Reading {
  constructor(log, path, cursor) {
    Object.assign(this, { log, path, cursor, told: cursor });
    for (const name of ["focus", "pageshow"]) addEventListener(name, () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
  }

  get isLooking() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  // Another device has read so far.
  heard(place) {
    this.cursor = Math.max(this.cursor, place);
    this.told = Math.max(this.told, place);
  }

  look() {
    if (!this.isLooking) return;
    const seen = this.lastSeen();
    if (seen <= this.cursor) return;
    this.cursor = seen;
    this.tell(PAUSE_MS);
  }

  lastSeen() {
    if (this.log.isAtEnd) return this.log.last;
    const end = this.log.box.getBoundingClientRect().bottom + 4;
    const all = this.log.entries();
    for (let at = all.length - 1; at >= 0; at--) if (all[at].getBoundingClientRect().bottom <= end) return Number(all[at].dataset.place);
    return 0;
  }

  tell(pause) {
    clearTimeout(this.timer);
    if (this.cursor <= this.told) return;
    this.timer = setTimeout(async () => {
      const place = this.cursor;
      try {
        await call("POST", `${this.path}/cursor`, { place });
        this.told = Math.max(this.told, place);
      } catch {
        this.tell(AGAIN_MS);
      }
    }, pause);
  }
}
