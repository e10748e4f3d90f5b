"""The route of the inbox: wait for mail, lease it, show it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response, request

from bus.clock import to_text
from bus.errors import NotFoundError, StorageFailedError
from bus.mail import render, service
from bus.mail.api import WRITERS
from bus.store.transaction import participant_topic
from bus.web.calls import Calls
from bus.web.papers import check_meant
from bus.web.request import read_query
from bus.web.runtime import runtime
from bus.web.waiting import LONGEST_WAIT_S, wait_until

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("inbox")
MARK_CHARS = 8
UNLEASED = (
    "your mail is kept and can be seen, though not leased or acked: GET /api/inbox?view=headers "
    "lists it, GET /api/messages/ID shows a body"
)


class InboxQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How much of the inbox to read, and how: `wait` in seconds, `max_bytes` of bodies."""

    wait: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT_S)] = 0
    view: Literal["full", "headers"] = "full"
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=4_194_304)] = 65_536
    id: str | None = None
    text: bool = False
    shown: bool = False


@calls.add("GET", "/api/inbox", who=WRITERS, summary="Read and lease what waits", query=InboxQuery)
def inbox(principal: Principal) -> dict[str, Any] | Response:
    query, me = read_query(InboxQuery), principal.participant_id or 0
    if query.view == "full":
        check_meant()  # it leases what it shows
    if query.id:
        check_known(principal, query.id)
    with runtime().places.take(principal) if query.wait else nullcontext():
        there = wait_until(
            principal,
            query.wait,
            participant_topic(me),
            lambda conn: service.is_readable(conn, me, query.id),
        )
    if query.view == "headers":
        return headers(principal, query.limit)
    ask = service.Ask(query.limit, query.max_bytes, query.id)
    page = lease_page(principal, ask) if there else service.Page([], 0)
    return show_page(principal, page, texts=query.text, shown=query.shown)


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
    principal: Principal, page: service.Page, *, texts: bool, shown: bool
) -> dict[str, Any] | Response:
    """Show leased items as the reader wants them: text for a model, or JSON.

    `shown`: what answers an item of a session is shown there as it is said.
    """
    with runtime().store.read() as conn:
        reader = service.reader_of(conn, principal, runtime().config)
        items = service.find_talks(conn, runtime().store.hooks, principal, page.items)
    if shown:
        items = [render.as_shown(item) for item in items]
    mark = f"wakebus {runtime().ids.secret(MARK_CHARS)}"
    if request.accept_mimetypes.best_match(["application/json", "text/plain"]) == "text/plain":
        text = render.to_text_page(items, page.more, reader, mark)
        return Response(text, mimetype="text/plain")
    written = [render.to_json(item, reader) for item in items]
    if texts:
        for one, item in zip(written, items, strict=True):
            one["text"] = render.item_text(item, reader, mark)
    now = to_text(runtime().clock.now_ms())
    return {"agent": principal.name, "items": written, "more": page.more, "server_time": now}
