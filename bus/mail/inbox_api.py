"""The route of the inbox: wait for mail, lease it, show it."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response, request
from gevent.event import Event

from bus.clock import to_text
from bus.errors import NotFoundError, StorageFailedError
from bus.live import leaving
from bus.mail import render, service
from bus.mail.api import WRITERS
from bus.serving.drain import DRAIN
from bus.store.transaction import participant_topic, token_topic
from bus.web.calls import Calls
from bus.web.papers import papers_of_request
from bus.web.request import read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.access.model import Principal
    from bus.live.hub import Listener

calls = Calls("inbox")
LONGEST_WAIT_S = 60
MARK_CHARS = 8
UNLEASED = (
    "your mail is kept and can be seen, though not leased or acked: GET /api/inbox?view=headers "
    "lists it, GET /api/messages/ID shows a body"
)


def wait_for_mail(principal: Principal, seconds: int, only: str | None) -> bool:
    """Wait until something is readable, at most so long; says whether something is.

    Raises:
        UnauthorizedError: the token was revoked meanwhile.
    """
    run, me = runtime(), principal.participant_id or 0
    papers, gone = papers_of_request(), Event()
    until_s = run.clock.monotonic_s() + seconds
    topics = {participant_topic(me), token_topic(principal.token_id), DRAIN}
    with run.hub.listen(topics) as listener, hang_up_tells(gone, listener):
        while not run.drain.begun and not gone.is_set():
            listener.clear()
            with run.store.read() as conn:
                papers.find(conn)
                if service.is_readable(conn, me, only):
                    return True
            left_s = until_s - run.clock.monotonic_s()
            if left_s <= 0 or not listener.wait(left_s):
                break
    return False


class InboxQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How much of the inbox to read, and how: `wait` in seconds, `max_bytes` of bodies."""

    wait: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT_S)] = 0
    view: Literal["full", "headers"] = "full"
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=4_194_304)] = 65_536
    id: str | None = None
    text: bool = False


@calls.add("GET", "/api/inbox", who=WRITERS, summary="Read and lease what waits", query=InboxQuery)
def inbox(principal: Principal) -> dict[str, Any] | Response:
    query = read_query(InboxQuery)
    if query.id:
        check_known(principal, query.id)
    with runtime().places.take(principal) if query.wait else nullcontext():
        there = wait_for_mail(principal, query.wait, query.id)
    if query.view == "headers":
        return headers(principal, query.limit)
    ask = service.Ask(query.limit, query.max_bytes, query.id)
    page = lease_page(principal, ask) if there else service.Page([], 0)
    return show_page(principal, page, texts=query.text)


@contextmanager
def hang_up_tells(gone: Event, listener: Listener) -> Iterator[None]:
    """Have a waiting read hear that its client has gone, so that it leases nothing to nobody."""

    def leave() -> None:
        gone.set()
        listener.wake()

    with leaving.watch(request.environ.get("gunicorn.socket"), leave):
        yield


def check_known(principal: Principal, message_id: str) -> None:
    """Refuse to wait for what was never sent to the reader."""
    with runtime().store.read() as conn:
        if not service.is_for(conn, message_id, principal.participant_id or 0):
            raise NotFoundError(f"no message {message_id[:40]!r} for you")


def lease_page(principal: Principal, ask: service.Ask) -> service.Page:
    """Lease what is asked for."""
    me = principal.participant_id or 0
    try:
        return runtime().store.write(lambda tx: service.read_inbox(tx, me, ask), principal.id)
    except StorageFailedError as error:
        # Without a lease there is no handle: what is read could not be acked, and comes again.
        raise StorageFailedError(f"{error.detail}; {UNLEASED}", retry_after_s=5) from error


def headers(principal: Principal, limit: int) -> dict[str, Any]:
    """Show what waits and lease nothing."""
    me = principal.participant_id or 0
    with runtime().store.read() as conn:
        items = [render.to_header(row) for row in service.headers(conn, me, limit)]
        more = service.count_readable(conn, me) - len(items)
    return {"agent": principal.name, "items": items, "more": more}


def show_page(
    principal: Principal, page: service.Page, *, texts: bool
) -> dict[str, Any] | Response:
    """Show leased items as the reader wants them: text for a model, or JSON."""
    with runtime().store.read() as conn:
        reader = service.reader_of(conn, principal, runtime().config)
    mark = f"wakebus {runtime().ids.secret(MARK_CHARS)}"
    if request.accept_mimetypes.best_match(["application/json", "text/plain"]) == "text/plain":
        text = render.to_text_page(page.items, page.more, reader, mark)
        return Response(text, mimetype="text/plain")
    items = [render.to_json(item, reader) for item in page.items]
    if texts:
        for shown, item in zip(items, page.items, strict=True):
            shown["text"] = render.item_text(item, reader, mark)
    now = to_text(runtime().clock.now_ms())
    return {"agent": principal.name, "items": items, "more": page.more, "server_time": now}
