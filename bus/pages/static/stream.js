// Reading /api/stream: one connection that comes back by itself and loses nothing.
//
// Not an EventSource: that one shows neither a refusal's status nor the comments of a silent
// stream, so that it takes a network which swallows everything for one on which nothing happens.

const KEPT = 2000; // events, for a page that was made before they came
const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 20_000;
const SILENCES = 3; // so many heartbeats may be missing

export class Stream {
  constructor(url, cursor, hear) {
    this.url = url;
    this.cursor = cursor;
    this.hear = hear; // ({event}) or ({state})
    this.kept = [];
    this.keptFrom = place(cursor);
    this.failures = 0;
    this.heartbeatMs = 15_000;
    this.cut = false;
    this.state = { name: "connecting", since: Date.now() };
    this.lastTick = Date.now();
    setInterval(() => this.tick(), 1000);
    this.open();
  }

  // What a page that was made at `cursor` has missed; null where that is not known any more.
  since(cursor) {
    const at = place(cursor);
    if (at.epoch !== this.keptFrom.epoch || at.seq < this.keptFrom.seq) return null;
    return this.kept.filter((event) => place(event.id).seq > at.seq);
  }

  // The browser says that its network went or came.
  network(isThere) {
    this.cut = !isThere;
    if (isThere) this.again(0);
    else this.lose();
  }

  async open() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.cut || this.abort) return;
    const abort = (this.abort = new AbortController());
    this.heard = Date.now();
    try {
      const url = `${this.url}?last_event_id=${encodeURIComponent(this.cursor || "now")}`;
      const answer = await fetch(url, { signal: abort.signal, cache: "no-store", headers: { Accept: "text/event-stream" } });
      if (answer.status === 401) return this.end("signed-out");
      if (!answer.ok) throw new Error(String(answer.status));
      await this.read(answer.body.getReader(), abort);
    } catch {
      // Whatever it was, it is tried again; what was missed comes then.
    }
    if (this.abort !== abort) return;
    this.lose();
  }

  async read(reader, abort) {
    const text = new TextDecoder();
    let rest = "";
    let fields = {};
    for (;;) {
      const { value, done } = await reader.read();
      if (done || this.abort !== abort) return;
      this.heard = Date.now();
      const lines = (rest + text.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (fields.event) this.take(fields);
          fields = {};
        } else if (line[0] !== ":") {
          const at = line.indexOf(": ");
          fields[line.slice(0, at)] = line.slice(at + 2);
        }
      }
    }
  }

  take({ id, event: kind, data }) {
    const event = { id: id || "", kind, data: JSON.parse(data) };
    if (kind === "hello") {
      this.heartbeatMs = Math.max(1000, event.data.heartbeat_s * 1000);
      this.failures = 0;
      if (!this.cursor) this.cursor = `${event.data.epoch}-${event.data.head}`;
      if (!this.keptFrom.epoch) this.keptFrom = place(this.cursor);
      this.become("live");
    } else if (kind === "gap") {
      this.kept = [];
      this.keptFrom = { epoch: event.data.epoch, seq: Infinity };
    } else if (kind === "ready") {
      this.cursor = id;
      this.keptFrom = place(id);
    } else if (kind === "bye") {
      if (id) this.cursor = id;
      if (event.data.reason === "revoked") return this.end("signed-out");
      this.failures = 0;
    } else if (id) {
      if (place(id).epoch === place(this.cursor).epoch && place(id).seq <= place(this.cursor).seq) return;
      this.cursor = id;
      this.kept.push(event);
      if (this.kept.length > KEPT) this.keptFrom = place(this.kept.splice(0, KEPT / 2).at(-1).id);
    }
    this.hear({ event });
  }

  // The connection is gone: say so, and come back after a pause that grows.
  lose() {
    this.abort?.abort();
    this.abort = null;
    if (this.state.name === "signed-out") return;
    if (this.failures > 0 || this.cut) this.become("offline");
    this.again(this.cut ? LONGEST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++) * (0.75 + Math.random() / 2));
  }

  again(pauseMs) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), pauseMs);
  }

  // A second that took long was sleep; a stream that is silent too long is none any more.
  tick() {
    const now = Date.now(), slept = now - this.lastTick > 10_000;
    this.lastTick = now;
    if (this.abort && (slept || now - this.heard > SILENCES * this.heartbeatMs)) {
      this.failures = Math.max(this.failures, slept ? 0 : 1);
      this.lose();
      if (slept) this.again(0);
    }
  }

  become(name) {
    if (this.state.name === name) return;
    this.state = { name, since: Date.now() };
    this.hear({ state: this.state });
  }

  end(name) {
    this.abort?.abort();
    this.abort = null;
    this.become(name);
  }
}

export function place(cursor) {
  const at = (cursor || "").lastIndexOf("-");
  return { epoch: (cursor || "").slice(0, Math.max(at, 0)), seq: Number((cursor || "").slice(at + 1)) || 0 };
}

// Many pages on one stream: each is given first what it missed, then all that comes.
// `send(page, words)` brings words to a page.
export class Hall {
  constructor(send) {
    this.send = send;
    this.pages = new Set();
    this.stream = null;
  }

  hear(page, words) {
    if (words.say === "enter") {
      this.pages.add(page);
      this.stream ??= new Stream(words.url, words.cursor, (news) => this.tell(news));
      const missed = this.stream.since(words.cursor);
      if (missed === null) this.send(page, { event: { id: "", kind: "gap", data: { reason: "made before what is kept" } } });
      for (const event of missed ?? []) this.send(page, { event });
      this.send(page, { state: this.stream.state });
    } else if (words.say === "leave") this.pages.delete(page);
    else if (words.say === "network") this.stream?.network(words.isThere);
  }

  tell(news) {
    for (const page of this.pages) this.send(page, news);
  }
}
