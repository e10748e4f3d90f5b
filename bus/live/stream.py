"""`GET /api/stream`: the log after a cursor, filtered by what the reader may see.

One ordered loop: clear the flag, read rows after the cursor, send them, wait. Replay and live are
the same loop, so nothing can fall between them or overtake.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import gevent
import msgspec
from flask import Response, request

from bus.clock import to_text
from bus.errors import BusError, DrainingError, InvalidRequestError
from bus.live.audience import audience_of, sight_of
from bus.live.presence import Link
from bus.live.sse import FIRST, KEEPALIVE, frame, frame_of
from bus.logs import log
from bus.serving.drain import DRAIN
from bus.store.log import Bounds, end_of_stretch, read_between, read_bounds
from bus.store.transaction import EVERYTHING, node_topic, participant_topic, token_topic
from bus.web import leaving
from bus.web.calls import Calls
from bus.web.papers import Papers, papers_of_request
from bus.web.request import read_query
from bus.web.runtime import Runtime, runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from bus.access.model import Principal
    from bus.live.hub import Listener
    from bus.store.log import Row

calls = Calls("live")
STRETCH = 1000
"""How many rows of the log a reader that is behind looks at together."""
WRITE_TIMEOUT_S = 10
MOST_DIGITS = 19
UNACKED_MS = 30_000
MAX_INSTANCE = 64
Held = list[Any]
"""What a stream must give back when it ends: calls without arguments."""


@dataclass(slots=True)
class Reader:
    """One open stream: whose it is, how far it has come, and when it must end."""

    run: Runtime
    principal: Principal
    papers: Papers
    listener: Listener
    cursor: int
    epoch: str
    until_s: float
    link: Link | None = None
    sees: Callable[[Row], bool] = lambda _row: False
    rights: int = -1
    gone: bool = False

    def leave(self) -> None:
        """Hear that nobody reads any more."""
        self.gone = True
        self.listener.wake()


def topics_of(principal: Principal) -> set[str]:
    """Name what wakes this reader's stream."""
    topics = {DRAIN, token_topic(principal.token_id)}
    if principal.node_id is not None:
        return topics | {node_topic(principal.node_id)}
    if principal.participant_id is not None:
        topics |= {participant_topic(principal.participant_id)}
    return topics if principal.kind == "agent" else topics | {EVERYTHING}


class StreamQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Where to begin, and which of a principal's readers this is."""

    last_event_id: str = ""
    instance: Annotated[str, msgspec.Meta(max_length=MAX_INSTANCE)] = ""


def read_cursor(query: StreamQuery) -> str:
    """Read where the reader left off: the header wins over the query."""
    cursor = request.headers.get("Last-Event-ID") or query.last_event_id
    if len(cursor) > 64 or not cursor.isascii():
        raise InvalidRequestError("a cursor is the id of an event: EPOCH-SEQ, earliest or now")
    return cursor


def place(cursor: str, bounds: Bounds) -> tuple[int | None, str]:
    """Find the place of a cursor in the log, or None with the reason why it has none."""
    if cursor == "earliest":
        return bounds.oldest, ""
    if cursor == "now":
        return bounds.head, ""
    epoch, _, number = cursor.rpartition("-")
    if not epoch.isalnum() or not number.isdigit() or len(number) > MOST_DIGITS:
        raise InvalidRequestError(f"{cursor!r} is no cursor: EPOCH-SEQ, earliest or now")
    seq = int(number)
    if epoch != bounds.epoch:
        return None, "the cursor is of another epoch: the database was restored or made anew"
    if seq < bounds.oldest:
        return None, "the log before this was trimmed"
    if seq > bounds.head:
        return None, "the cursor is ahead of the log"
    return seq, ""


@calls.add(
    "GET",
    "/api/stream",
    who=("agent", "person", "admin", "node"),
    summary="What happens",
    query=StreamQuery,
)
def stream(principal: Principal) -> Response:
    run, query = runtime(), read_query(StreamQuery)
    cursor, instance = read_cursor(query), query.instance
    with run.store.read() as conn:
        bounds = read_bounds(conn)
    at, lost = place(cursor, bounds) if cursor else (None, "")
    if not instance.isprintable():
        raise InvalidRequestError("'instance' is printable")
    connection = request.environ.get("gunicorn.socket")
    bound_writes(connection)
    start = Start(cursor, at, lost, bounds)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    body = open_stream(run, principal, instance, start, connection)
    return Response(body, mimetype="text/event-stream", headers=headers)


@dataclass(frozen=True)
class Start:
    """Where a stream begins."""

    asked: str
    at: int | None
    lost: str
    bounds: Bounds


def bound_writes(connection: Any) -> None:
    """Cut a reader off that does not read, and notice one that has silently gone."""
    if isinstance(connection, socket.socket):
        connection.settimeout(WRITE_TIMEOUT_S)
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKED_MS)


class Body:
    """The bytes of a stream; closing it lets go of all it held, even where nothing was read."""

    __slots__ = ("_given", "_held")

    def __init__(self, given: Generator[bytes], held: Held) -> None:
        self._given, self._held = given, held

    def __iter__(self) -> Iterator[bytes]:
        return self._given

    def close(self) -> None:
        self._given.close()
        let_go(self._held)


def let_go(held: Held) -> None:
    """Undo what was done, the last thing first."""
    while held:
        held.pop()()


def open_stream(
    run: Runtime, principal: Principal, instance: str, start: Start, connection: Any
) -> Body:
    """Register the stream now, so that a refusal is an HTTP answer; then give its bytes."""
    if run.drain.begun:
        raise DrainingError(retry_after_s=2)
    held: Held = []
    try:
        reader = hold(run, principal, instance, start, held)
        if isinstance(connection, socket.socket):
            held.append(leaving.Watch(connection, reader.leave).stop)
        log("stream_opened", principal=principal.name, instance=instance, cursor=start.asked)
        held.append(partial(log, "stream_closed", principal=principal.name, instance=instance))
        # All that goes deep is done now, on the stack that ends with the opening.
        why_out(reader)
        first = FIRST + b"".join(begin(reader, start))
    except BaseException:
        let_go(held)
        raise
    return Body(give(reader, first), held)


def hold(run: Runtime, principal: Principal, instance: str, start: Start, held: Held) -> Reader:
    """Take what a stream holds while it is open; `held` gets how it is given back.

    No contexts: each would keep a frame as long as the stream.
    """
    run.places.occupy(principal)
    held.append(partial(run.places.leave, principal))
    listener = run.hub.join(topics_of(principal))
    held.append(partial(run.hub.leave, listener))
    link = Link(instance, listener) if principal.node_id is not None and instance else None
    lifetime_s = run.config.stream_s * (0.8 + 0.4 * run.ids.fraction())
    until_s = run.clock.monotonic_s() + lifetime_s
    head = start.bounds.head if start.at is None else start.at
    papers = papers_of_request()
    reader = Reader(run, principal, papers, listener, head, start.bounds.epoch, until_s, link)
    if link is not None:
        appear(reader, link)
        held.append(partial(disappear, reader, link))
        note_node(reader)
    return reader


def give(reader: Reader, first: bytes) -> Generator[bytes]:
    """Give a stream's bytes from its first to its last."""
    try:
        yield first
        yield from follow(reader)
    except BusError as error:
        # Named so because browsers keep `error` for their own.
        told = {"to_agent": None, "code": error.code, "detail": error.detail}
        yield frame("bus-error", told)


def appear(reader: Reader, link: Link) -> None:
    """Have a node be online: its watcher's stream is open."""
    reader.run.presence.open(reader.principal.node_id or 0, link)


def disappear(reader: Reader, link: Link) -> None:
    """Have a node be offline, unless a newer stream took this one's place."""
    reader.run.presence.close(reader.principal.node_id or 0, link)
    note_node(reader)


def note_node(reader: Reader) -> None:
    """Keep that a node's watcher was here just now; a fault of the disk must not end a stream."""
    with suppress(BusError):
        node_id = reader.principal.node_id
        reader.run.store.write(lambda tx: tx.announce("node_seen", node_id=node_id))


def begin(reader: Reader, start: Start) -> Iterator[bytes]:
    """Say where the log is; without a good cursor, give what is pending before what is new."""
    run, bounds = reader.run, start.bounds
    hello = {
        "to_agent": None,
        "epoch": bounds.epoch,
        "head": bounds.head,
        "oldest": bounds.oldest,
        "heartbeat_s": run.config.heartbeat_s,
        "server_time": to_text(run.clock.now_ms()),
    }
    yield frame("hello", hello)
    if start.at is not None:
        return
    if start.lost:
        gap = {"requested": start.asked, "oldest": bounds.oldest, "epoch": bounds.epoch}
        yield frame("gap", {"to_agent": None, **gap, "reason": start.lost})
    with run.store.read() as conn:
        asked = run.store.hooks.called("pending_events")
        now_ms = run.clock.now_ms()
        pending = [one for call in asked for one in call(conn, reader.principal, now_ms)]
    for event, data in pending:
        yield frame(event, data)
    ready = {"to_agent": None, "pending": len(pending)}
    yield frame("ready", ready, f"{reader.epoch}-{reader.cursor}")


def follow(reader: Reader) -> Iterator[bytes]:
    """Send rows as they come, a comment when none do, and bye at the end."""
    run = reader.run
    while True:
        reader.listener.clear()
        if reader.gone:
            return
        ending = why_end(reader) or why_out(reader)
        if ending:
            cursor = f"{reader.epoch}-{reader.cursor}"
            yield frame("bye", {"to_agent": None, "reason": ending}, cursor)
            return
        frames = look(reader)
        if frames:
            yield frames
        elif reader.cursor < run.tail.head:
            gevent.sleep(0)  # much to read and nothing of it to show: others take their turn
        else:
            left_s = reader.until_s - run.clock.monotonic_s()
            if not reader.listener.wait(max(0.0, min(run.config.heartbeat_s, left_s))):
                yield KEEPALIVE


def look(reader: Reader) -> bytes:
    """Read what is next; where none is the reader's, its place still moves with the log."""
    run, tail, after = reader.run, reader.run.tail, reader.cursor
    tail.look()
    # What a person sees hangs on others' compartments too, which a commit may have changed that
    # nobody here was told of yet: it is judged in the snapshot that has the rows.
    if after >= tail.since and reader.principal.kind != "person":
        reader.cursor = max(after, tail.head)
        return tail.after(after, reader.sees)
    with run.store.read() as conn:
        reader.cursor = min(end_of_stretch(conn, after, STRETCH) or tail.head, tail.head)
        rows = read_between(conn, after, reader.cursor, audience_of(reader.principal))
    return b"".join(frame_of(row, reader.epoch) for row in rows)


def why_end(reader: Reader) -> str:
    """Say why a stream must end now, or nothing."""
    if reader.run.drain.begun:
        return "shutdown"
    if reader.link is not None and reader.link.replaced:
        return "replaced"
    return "lifetime" if reader.run.clock.monotonic_s() >= reader.until_s else ""


def why_out(reader: Reader) -> str:
    """Have a reader show its papers again when somebody's rights have changed."""
    run = reader.run
    if reader.rights == run.hub.rights:
        return ""
    reader.rights = run.hub.rights
    with run.store.read() as conn:
        reader.sees = sight_of(reader.principal)
        return reader.papers.changed(conn, reader.principal)
