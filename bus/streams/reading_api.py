"""The route that reads durable streams, as the open protocol has it: now, or as they go on."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import gevent
from flask import Response, request
from gevent.event import Event

from bus.errors import BusError, InvalidRequestError, NotFoundError
from bus.live.stream import open_for
from bus.serving.drain import DRAIN
from bus.store.transaction import RIGHTS, token_topic
from bus.streams import messages, rules, service
from bus.streams.following import Follower
from bus.streams.model import DIED, Offset, Page
from bus.web.calls import Calls
from bus.web.papers import papers_of_request
from bus.web.runtime import runtime
from bus.web.waiting import hang_up_tells

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.store.statement import Row

calls = Calls("streams")
WHO = ("agent", "person")
PATH = "/streams/<stream_id>"
LONGEST_POLL_S = 20.0
EVENTS_S = 60.0
"""About how long a reader by events stays, as the protocol advises; it comes back by itself."""
PRIVATE = {
    "Cache-Control": "private, no-cache",
    # Whatever type its maker gave it: opened by itself, it is no page of this site.
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@calls.add("GET", PATH, who=WHO, summary="Read a durable stream: now, or as it comes")
def get(principal: Principal, stream_id: str) -> Response:
    given, live = request.args.getlist("offset"), request.args.get("live")
    if len(given) > 1 or "" in given:
        raise InvalidRequestError("one offset, and none that is empty")
    if live not in {None, "long-poll", "sse"}:
        raise InvalidRequestError("live is long-poll or sse, or left out")
    if live is not None and not given:
        raise InvalidRequestError(f"live={live} needs an offset: -1 for the beginning, or now")
    offset = given[0] if given else "-1"
    if offset not in {"-1", "now"}:
        rules.read_offset(offset)
    row = find(principal, stream_id)
    note_read(row)
    at = place_of(offset, row)
    if live == "sse":
        return follow(principal, row, at)
    if live == "long-poll":
        return poll(principal, row, at)
    return read_now(row, at, is_tail=offset == "now")


def place_of(offset: str, row: Row) -> int:
    """Find how many bytes are before what the query names."""
    if offset == "now":
        return int(row.size)
    return 0 if offset == "-1" else rules.place_of(rules.read_offset(offset), row)


def find(principal: Principal, stream_id: str) -> Row:
    """Find a stream for whoever asks."""
    run = runtime()
    with run.store.read() as conn:
        now_ms = run.clock.now_ms()
        return service.find_readable(conn, run.store.hooks, principal, stream_id, now_ms)


def note_read(row: Row) -> None:
    """Lengthen the TTL, aside from the answer: a fault of the disk concerns no reader."""
    run, place = runtime(), row.place

    def write() -> None:
        with suppress(BusError):
            run.store.write(lambda tx: service.renew(tx, place))

    if rules.is_worth_renewing(row, run.clock.now_ms()):
        gevent.spawn(write)


def headers_of(row: Row, end: int | None = None) -> dict[str, str]:
    """Give what is said of a stream, or of a page of it that ends there, with every answer."""
    at = row.size if end is None else end
    headers = PRIVATE | {"Stream-Next-Offset": str(Offset(row.era, at))}
    if row.closed_ms is not None and at == row.size:
        headers["Stream-Closed"] = "true"
        if row.how == DIED:
            headers["Stream-Died"] = "true"
    return headers


def read_now(row: Row, at: int, *, is_tail: bool) -> Response:
    """Answer with what is there."""
    with runtime().store.read() as conn:
        page = service.read_page(conn, row, at)
    if is_tail:
        response = show(row, page)
        response.headers["Cache-Control"] = "no-store"
        return response
    tag = f'"{row.place}:{Offset(row.era, at)}:{page.end}{":end" * has_ended(row, page)}"'
    # A match may be weakened by a proxy that packs the answer.
    if tag in (request.headers.get("If-None-Match") or "").replace("W/", "").split(", "):
        return Response(b"", 304, headers_of(row, page.end) | {"ETag": tag})
    response = show(row, page)
    response.headers["ETag"] = tag
    return response


def has_ended(row: Row, page: Page) -> bool:
    return row.closed_ms is not None and page.end == row.size


def show(row: Row, page: Page, status: int = 200, cursor: str | None = None) -> Response:
    """Show a page."""
    body = b""
    if status == 200:
        body = messages.to_body(page.data, is_json=rules.is_json(row.content_type))
    response = Response(body, status, headers_of(row, page.end), content_type=type_for_reader(row))
    if page.end == row.size:
        response.headers["Stream-Up-To-Date"] = "true"
    if cursor is not None:
        response.headers["Stream-Cursor"] = cursor
    return response


def type_for_reader(row: Row) -> str:
    """Give a stream's content type; to a page of the bus none that it would run.

    The page's policy lets scripts and styles of the bus's own address in, as a stream has.
    """
    is_page = bool(papers_of_request().cookie)
    return rules.inert_type(row.content_type) if is_page else row.content_type


def poll(principal: Principal, row: Row, at: int) -> Response:
    """Answer as soon as there is something, or after a while that there is nothing."""
    run = runtime()
    least = rules.least_cursor(request.args.get("cursor"), run.clock.now_ms(), run.ids.fraction())
    if at < row.size or row.closed_ms is not None:
        with run.store.read() as conn:
            page = service.read_page(conn, row, at)
    else:
        row, page = wait(principal, row, at)
    cursor = str(max(least, rules.cursor_at(run.clock.now_ms())))
    return show(row, page, 200 if page.data else 204, cursor)


def topics_of(principal: Principal, row: Row) -> set[str]:
    """Name what concerns whoever waits for more of a stream."""
    return {service.topic(row.place), token_topic(principal.token_id), RIGHTS, DRAIN}


def wait(principal: Principal, row: Row, at: int) -> tuple[Row, Page]:
    """Wait until a stream goes on or ends, for so long at most."""
    run, gone, papers = runtime(), Event(), papers_of_request()
    until_s = run.clock.monotonic_s() + LONGEST_POLL_S
    rights = run.hub.rights
    now: Row | None = row

    with (
        run.places.take(principal),
        run.spools.following(row.place) as spool,
        run.hub.listen(topics_of(principal, row)) as listener,
        hang_up_tells(gone, listener),
    ):
        while not run.drain.begun and not gone.is_set():
            listener.clear()
            if run.hub.rights != rights:  # before anything is shown that came since
                rights = run.hub.rights
                find(run.known.find(papers), row.id)
            now = spool.look()
            left_s = until_s - run.clock.monotonic_s()
            is_news = now is None or now.size > at or now.closed_ms is not None
            if is_news or left_s <= 0 or not listener.wait(left_s):
                break
        if now is None:
            raise NotFoundError(f"no stream {row.id!r}: it was deleted")
        return now, spool.page(now, at)


def follow(principal: Principal, row: Row, at: int) -> Response:
    """Have the pump write what comes, as events."""
    run = runtime()
    now_ms, fraction = run.clock.now_ms(), run.ids.fraction()
    follower = Follower(
        run,
        principal,
        papers_of_request(),
        run.spools.follow(row.place),
        at,
        run.clock.monotonic_s() + EVENTS_S * (0.8 + 0.4 * fraction),
        rules.least_cursor(request.args.get("cursor"), now_ms, fraction),
        run.hub.rights,
    )
    body = open_for(
        follower, topics_of(principal, row), follower.look, "", str(Offset(row.era, at))
    )
    headers = PRIVATE | {"Cache-Control": "no-cache, no-store", "X-Accel-Buffering": "no"}
    if not rules.is_text(row.content_type):
        headers["Stream-SSE-Data-Encoding"] = "base64"
    return Response(body, headers=headers, content_type="text/event-stream")
