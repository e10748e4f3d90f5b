// The stream with Node's own EventSource (node --experimental-eventsource).
//
// It can set no header, so the token is put on at the place where Node shows each request that it
// is about to send. Some versions give up when a connection is refused; a new one then goes on
// from the query. Its pause before reconnecting does not keep the process alive: the timer does.
import diagnostics from "node:diagnostics_channel";

const PAUSE_MS = 100;
const KINDS = ["hello", "ready", "gap", "message", "state", "bye", "bus-error"];
const url = process.argv[2];
let source;
let cursor = "";

diagnostics.subscribe("undici:request:create", ({ request }) => {
  request.addHeader("Authorization", `Bearer ${process.env.READER_TOKEN}`);
});

function open() {
  source = new EventSource(cursor ? `${url}?last_event_id=${cursor}` : url);
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      cursor = event.lastEventId;
      console.log(JSON.stringify([kind, JSON.parse(event.data), cursor]));
    });
  }
}

open();
setInterval(() => source.readyState === EventSource.CLOSED && open(), PAUSE_MS);
