"""The routes of sessions: make one, who is in it, what it is called; parse, call, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.errors import InvalidRequestError, UnknownRecipientError
from bus.mail.api import WRITERS, hinted, key_of
from bus.sessions import rules, service
from bus.web.calls import Calls
from bus.web.request import read_body, read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("sessions")


class ParticipantBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to take in, and by what it is woken where it is an agent."""

    name: str
    wake: str | None = None


class SessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """A session to make: its title, and who is in it beside whoever makes it."""

    title: str
    participants: list[ParticipantBody | str] = []


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """Another title, or whether the session is open."""

    title: str | None = None
    state: Literal["open", "closed"] | None = None


class SessionsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which sessions, and how far one has come."""

    state: Literal["open", "closed", "all"] = "all"
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class SearchQuery(msgspec.Struct, forbid_unknown_fields=True):
    """What to look for, and how far one has come."""

    q: str
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


def invited_of(several: list[ParticipantBody | str]) -> list[service.Invited]:
    """Check who is to be taken in."""
    most = runtime().config.max_participants
    if len(several) > most:
        raise InvalidRequestError(f"'participants' are at most {most}")
    return [
        service.Invited(one) if isinstance(one, str) else service.Invited(one.name, one.wake)
        for one in several
    ]


@calls.add(
    "GET",
    "/api/sessions",
    who=WRITERS,
    summary="Your sessions, a page of them",
    query=SessionsQuery,
)
def sessions(principal: Principal) -> dict[str, Any]:
    query = read_query(SessionsQuery)
    state = None if query.state == "all" else query.state
    with runtime().store.read() as conn:
        return service.list_mine(conn, principal, state, query.after, query.limit)


@calls.add(
    "POST",
    "/api/sessions",
    who=WRITERS,
    summary="Make a session",
    body=SessionBody,
    is_told=True,
)
def create(principal: Principal) -> tuple[dict[str, Any], int]:
    body = read_json(SessionBody)
    title, invited = rules.check_title(body.title), invited_of(body.participants)
    key = key_of(principal, "sessions")
    try:
        answer = runtime().store.write(
            lambda tx: service.create(tx, principal, title, invited, key), principal.id
        )
    except UnknownRecipientError as error:
        raise hinted(principal, error) from error
    return answer, 201


def is_here(participant_id: int, node_id: int | None) -> bool:
    """Say whether somebody is there now: on a stream, or by the watcher of its node."""
    presence = runtime().presence
    by_node = node_id is not None and presence.is_online(node_id)
    return by_node or presence.seems_here(participant_id)


@calls.add(
    "GET",
    "/api/sessions/search",
    who=WRITERS,
    summary="Find what was said in your sessions",
    query=SearchQuery,
)
def search(principal: Principal) -> dict[str, Any]:
    return find(principal, None)


def find(principal: Principal, session_id: str | None) -> dict[str, Any]:
    """Find what was said, in one session or in all of the reader's."""
    query = read_query(SearchQuery)
    with runtime().store.read() as conn:
        return service.search(conn, principal, session_id, query.q, query.after, query.limit)


@calls.add(
    "POST",
    "/api/sessions/import",
    who=WRITERS,
    summary="Make a session of a file that was exported",
    is_told=True,
)
def take_file(principal: Principal) -> tuple[dict[str, Any], int]:
    run = runtime()
    try:
        text = read_body().decode()
    except UnicodeDecodeError as error:
        raise InvalidRequestError("the file is not UTF-8 text") from error
    title, several = service.read_file(text, run.clock.now_ms(), run.config.max_body_bytes)
    key = key_of(principal, "import")
    answer = run.store.write(
        lambda tx: service.take_file(tx, principal, title, several, key),
        principal.id,
        is_long=True,
    )
    return answer, 201


@calls.add("GET", "/api/sessions/<session_id>", who=WRITERS, summary="A session and who is in it")
def session(principal: Principal, session_id: str) -> dict[str, Any]:
    with runtime().store.read() as conn:
        return service.show(conn, principal, session_id, is_here)


@calls.add(
    "PATCH",
    "/api/sessions/<session_id>",
    who=WRITERS,
    summary="Rename a session, close it or open it again",
    body=ChangeBody,
)
def change(principal: Principal, session_id: str) -> dict[str, Any]:
    body = read_json(ChangeBody)
    if body.title is None and body.state is None:
        raise InvalidRequestError("give 'title', or 'state' (open or closed)")
    title = None if body.title is None else rules.check_title(body.title)
    runtime().store.write(
        lambda tx: service.change(tx, principal, session_id, title, body.state), principal.id
    )
    with runtime().store.read() as conn:
        return service.show(conn, principal, session_id, is_here)
