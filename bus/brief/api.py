"""The routes of the brief."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from flask import Response, request

from bus.brief import rules, service
from bus.mail.rules import read_time
from bus.web.calls import Calls
from bus.web.request import read_json, read_query
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("brief")


class BriefQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Since when, and how much of each kind of thing at most."""

    since: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class SeenBody(msgspec.Struct, forbid_unknown_fields=True):
    """Until when what happened was seen: the `until` of a brief."""

    seen_until: str


def read_past(name: str, text: str | None) -> int | None:
    """Read a time."""
    return read_time({name: text}, (name, ""), runtime().clock.now_ms())


@calls.add(
    "GET",
    "/api/brief",
    who=("agent", "person", "admin"),
    summary="What happened since",
    query=BriefQuery,
)
def brief(principal: Principal) -> dict[str, Any] | Response:
    query, run = read_query(BriefQuery), runtime()
    since_ms = read_past("since", query.since)
    rooms = run.store.hooks.called("brief_sections")
    with run.store.read() as conn:
        now_ms = run.clock.now_ms()
        told = service.tell(conn, principal, rooms, since_ms, query.limit, now_ms, run.config)
    if request.accept_mimetypes.best_match(["application/json", "text/plain"]) == "text/plain":
        return Response(rules.write_text(told), mimetype="text/plain")
    return told


@calls.add("POST", "/api/brief", who=("agent", "person"), summary="A brief was seen", body=SeenBody)
def seen(principal: Principal) -> dict[str, Any]:
    until_ms = read_past("seen_until", read_json(SeenBody).seen_until) or 0
    until = runtime().store.write(
        lambda tx: service.set_seen(tx, principal, until_ms), principal.id
    )
    return {"seen_until": until}
