"""The routes of what is said in sessions: say, read, and how far one has read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from flask import Response, request

from bus.errors import InvalidRequestError
from bus.mail import service as mail
from bus.mail.api import WRITERS, key_of
from bus.sessions import rules, service
from bus.sessions.api import SearchQuery, find
from bus.web.calls import Calls
from bus.web.papers import check_meant
from bus.web.request import read_body, read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.access.model import Principal
    from bus.store.store import Store

calls = Calls("entries")
MARK_CHARS = 8
Place = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class EntryBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be said; plain text does as well. `ack` is how far one has read."""

    body: str
    kind: str = "message"
    to: str | list[str] = []
    in_reply_to: str | None = None
    ack: Place | None = None


class SayQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How far one has read before one says it."""

    ack: Place | None = None


class CursorBody(msgspec.Struct, forbid_unknown_fields=True):
    """The last place that was read."""

    place: Place


class EntriesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which entries: before a place, after one, or the newest; as a text, what one missed.

    `ack` is how far one has read before this, `max_bytes` of texts.
    """

    before: Place | None = None
    after: Place | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    ack: Place | None = None
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=1_048_576)] = 32_768


def read_word(principal: Principal) -> tuple[service.Word, int | None]:
    """Read what is to be said, and how far was read before."""
    if request.mimetype == "application/json":
        given = read_json(EntryBody)
    else:
        # curl's own default type is a form's; what was sent is still the text.
        try:
            given = EntryBody(read_body().decode())
        except UnicodeDecodeError as error:
            raise InvalidRequestError("the text is not UTF-8") from error
    if given.kind != "message":
        raise InvalidRequestError("'kind' is message: the other kinds the bus writes itself")
    to = (given.to,) if isinstance(given.to, str) else tuple(given.to)
    if len(to) > runtime().config.max_participants:
        raise InvalidRequestError("'to' names those in the session who are meant")
    body = rules.check_body(given.body, runtime().config.max_body_bytes)
    word = service.Word(given.kind, body, {}, to, given.in_reply_to, principal.trust)
    return word, given.ack


@calls.add(
    "POST",
    "/api/sessions/<session_id>/entries",
    who=WRITERS,
    summary="Say something",
    body=EntryBody,
    query=SayQuery,
    is_told=True,
)
def say(principal: Principal, session_id: str) -> tuple[dict[str, Any], int]:
    query = read_query(SayQuery)
    word, ack = read_word(principal)
    ack = query.ack if ack is None else ack
    key = key_of(principal, f"entries {session_id[:40]}")
    answer = runtime().store.write(
        lambda tx: service.say(tx, principal, session_id, word, key, ack), principal.id
    )
    return answer, 201


@calls.add(
    "GET",
    "/api/sessions/<session_id>/entries",
    who=WRITERS,
    summary="What was said, a page of it",
    query=EntriesQuery,
)
def entries(principal: Principal, session_id: str) -> dict[str, Any] | Response:
    query = read_query(EntriesQuery)
    if query.before is not None and query.after is not None:
        raise InvalidRequestError("give 'before' or 'after', not both")
    page, ack = service.Page(query.limit, query.before, query.after), query.ack
    if ack is not None:
        check_meant()
        runtime().store.write(
            lambda tx: service.move_cursor(tx, principal, session_id, ack), principal.id
        )
    with runtime().store.read() as conn:
        if not wants_text():
            return service.show_page(conn, principal, session_id, page)
        reader = mail.reader_of(conn, principal, runtime().config)
        mark = f"wakebus {runtime().ids.secret(MARK_CHARS)}"
        given = (page, reader, query.max_bytes, mark)
        text = service.write_missed(conn, principal, session_id, *given)
    return Response(text, mimetype="text/plain")


def wants_text() -> bool:
    """Say whether a text for a model is wanted, and not JSON."""
    best = request.accept_mimetypes.best_match(["application/json", "text/plain"])
    return best == "text/plain"


@calls.add(
    "GET",
    "/api/sessions/<session_id>/search",
    who=WRITERS,
    summary="Find what was said in a session",
    query=SearchQuery,
)
def search(principal: Principal, session_id: str) -> dict[str, Any]:
    return find(principal, session_id)


@calls.add("GET", "/api/sessions/<session_id>/export", who=WRITERS, summary="A session as one file")
def export(principal: Principal, session_id: str) -> Response:
    run = runtime()
    with run.store.read() as conn:
        head, upto = service.write_head(conn, principal, session_id, run.clock.now_ms())
    lines = write_lines(run.store, principal, session_id, head, upto)
    named = {"Content-Disposition": f'attachment; filename="{session_id}.jsonl"'}
    return Response(lines, mimetype="application/x-ndjson", headers=named)


def write_lines(
    store: Store, principal: Principal, session_id: str, head: list[str], upto: int
) -> Iterator[str]:
    """Write a file page by page: nothing is kept open while it is sent."""
    yield "".join(head)
    after = 0
    while after < upto:
        with store.read() as conn:
            lines, after = service.write_entries(conn, principal, session_id, after, upto)
        yield "".join(lines)


@calls.add(
    "POST",
    "/api/sessions/<session_id>/cursor",
    who=WRITERS,
    summary="How far you have read",
    body=CursorBody,
)
def cursor(principal: Principal, session_id: str) -> dict[str, Any]:
    place = read_json(CursorBody).place
    return runtime().store.write(
        lambda tx: service.move_cursor(tx, principal, session_id, place), principal.id
    )
