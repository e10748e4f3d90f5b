"""`GET /api/stream`: the log after a cursor, filtered by what the reader may see.

Here it is asked for and begun, by a request like any other. Then the server hands the connection
over, and the pump writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from flask import Response, request

from bus.errors import DrainingError, InvalidRequestError
from bus.live.holding import hold, let_go
from bus.live.outlet import Outlet, bound_writes
from bus.live.reader import Reader, Start, begin, place, topics_of
from bus.live.sse import FIRST
from bus.logs import log
from bus.serving.connections import HANDED_OVER
from bus.store.log import read_bounds
from bus.web.calls import Calls
from bus.web.papers import papers_of_request
from bus.web.request import read_query
from bus.web.runtime import Runtime, runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bus.access.model import Principal
    from bus.live.reader import Reads

calls = Calls("live")
MAX_INSTANCE = 64


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
    if run.drain.begun:
        raise DrainingError(retry_after_s=2)
    body = open_stream(run, principal, instance, Start(cursor, at, lost, bounds))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(body, mimetype="text/event-stream", headers=headers)


class Body:
    """The first bytes of a stream; closing it lets go of all it held, if nobody took it over."""

    def __init__(self, outlet: Outlet, environ: dict[str, Any]) -> None:
        self._outlet, self._environ = outlet, environ
        self.first = b""

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        self._environ[HANDED_OVER] = self._outlet

    def close(self) -> None:
        if HANDED_OVER not in self._environ:
            self._outlet.close(b"")
            let_go(self._outlet)


def open_stream(run: Runtime, principal: Principal, instance: str, start: Start) -> Body:
    """Open the stream of the log."""
    lifetime_s = run.config.stream_s * (0.8 + 0.4 * run.ids.fraction())
    until_s = run.clock.monotonic_s() + lifetime_s
    head = start.bounds.head if start.at is None else start.at
    reader = Reader(run, principal, papers_of_request(), head, start.bounds.epoch, until_s)

    def first() -> bytes:
        reader.why_out()
        return FIRST + b"".join(begin(reader, start))

    return open_for(reader, topics_of(principal), first, instance, start.asked)


def open_for(
    reader: Reads, topics: set[str], first: Callable[[], bytes], instance: str, cursor: str
) -> Body:
    """Register a stream now, so that a refusal is an HTTP answer; then give its first bytes."""
    connection = request.environ["gunicorn.socket"]
    bound_writes(connection)
    framed = request.environ["SERVER_PROTOCOL"] != "HTTP/1.0"
    outlet = Outlet(reader, tuple(topics), connection, framed=framed, instance=instance)
    try:
        hold(outlet)
    except BaseException:
        outlet.close(b"")
        reader.end()
        raise
    log("stream_opened", principal=reader.principal.name, instance=instance, cursor=cursor)
    body = Body(outlet, request.environ)
    try:
        body.first = first()
    except BaseException:
        body.close()
        raise
    return body
