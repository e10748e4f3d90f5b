// What is just being said, word by word: read from the byte one has, however often it is cut.
//
// A browser has few connections (six to a host, for all its tabs), so that only so many are followed;
// of the others is asked again and again. A page that nobody sees does not ask.
import { at } from "./page.js";

const SLOTS = ["a", "b", "c"];
const ASKED_MS = 1500, AGAIN_MS = 1000, LONGEST_MS = 20_000;
const HIDDEN = /[^\n\t\u200d\P{C}]|[\u2028\u2029\u115f\u1160\u3164\uffa0\ufe00-\ufe0d]|[\u{e0100}-\u{e01ef}]/gu;
const reading = new Map();

// Follow what an entry says; `still(change)` changes the page without moving it.
export function follow(entry, still) {
  const id = entry.dataset.stream;
  if (!id || reading.has(entry)) return;
  const reader = new Reader(entry, still);
  reading.set(entry, reader);
  reader.run().finally(() => reading.delete(entry));
}

// Have all connections made anew: one to a network that is gone may never say so.
export function followAgain() {
  for (const one of reading.values()) one.cut();
}

document.addEventListener("visibilitychange", () => document.hidden && followAgain());
const seen = () => new Promise((go) => {
  if (!document.hidden) return go();
  document.addEventListener("visibilitychange", () => go(seen()), { once: true });
});

// Follow where there is a connection to spare, in any tab; gives whether there was.
async function withSlot(reader, listen) {
  if (!navigator.locks) return [...reading.values()][0] === reader ? (await listen(), true) : false;
  for (const slot of SLOTS) {
    const was = await navigator.locks.request(`wakebus followed ${slot}`, { ifAvailable: true }, (lock) => lock && listen().then(() => true));
    if (was) return true;
  }
  return false;
}

class Reader {
  constructor(entry, still) {
    Object.assign(this, { entry, still, offset: "-1", failures: 0, hasEnded: false });
    this.words = entry.querySelector(".running");
    this.url = at(`/streams/${encodeURIComponent(entry.dataset.stream)}`);
  }

  get isWanted() {
    return this.entry.isConnected && !this.hasEnded;
  }

  // Close the connection; the loop goes on with what is right now.
  cut() {
    this.abort?.abort();
  }

  async run() {
    this.entry.setAttribute("aria-busy", "true");
    while (this.isWanted) {
      let pause = ASKED_MS;
      try {
        await seen();
        if (await withSlot(this, () => this.listen(false))) pause = 100;
        else await this.listen(true);
      } catch (error) {
        if (error.status === 404 || error.status === 410) break;
        pause = error.name === "AbortError" ? 0 : Math.min(LONGEST_MS, AGAIN_MS * 2 ** this.failures++);
      }
      if (this.isWanted) await new Promise((go) => setTimeout(go, pause));
    }
    this.entry.removeAttribute("aria-busy");
  }

  // Read what comes, until it ends; or only what there is.
  async listen(isOnce) {
    this.abort = new AbortController();
    const url = `${this.url}?offset=${encodeURIComponent(this.offset)}&live=sse`;
    const answer = await fetch(url, { signal: this.abort.signal, cache: "no-store", headers: { Accept: "text/event-stream" } });
    if (!answer.ok) throw Object.assign(new Error(String(answer.status)), { status: answer.status });
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let rest = "", kind = "", data = [], text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done || !this.isWanted) return this.cut();
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("event:")) kind = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line[5] === " " ? line.slice(6) : line.slice(5));
        else if (line === "") {
          if (kind === "data") text += data.join("\n");
          else if (kind === "control") {
            const said = JSON.parse(data.join("\n"));
            this.take(text, said.streamNextOffset);
            text = "";
            this.failures = 0;
            this.hasEnded = Boolean(said.streamClosed);
            if (this.hasEnded || (isOnce && said.upToDate)) return this.cut();
          }
          kind = "";
          data = [];
        }
      }
    }
  }

  // Words and where one is after them go together: what was cut between is read again.
  take(text, offset) {
    if (this.offset === "-1") this.words.textContent = "";
    this.offset = offset ?? this.offset;
    if (text) this.still(() => this.words.append(text.replace(HIDDEN, "")));
  }
}
