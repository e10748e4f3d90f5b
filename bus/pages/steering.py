"""Steering from a session's page: an answer to what is asked first, stop, and also do this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.pages.conversation import text_of
from bus.pages.routes import Pages, field, go
from bus.pages.sessions import key_of_form
from bus.sessions import service as sessions
from bus.sessions.rules import check_body, find_named
from bus.steering import service as steering
from bus.steering.model import ALSO, MAX_NOTE, STOP, Steer
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from flask import Response

    from bus.access.model import Principal

pages = Pages()


@pages.post("/sessions/<session_id>/approvals/<approval_id>")
def answer(principal: Principal, session_id: str, approval_id: str) -> Response:
    """Answer what is asked, with a word or without."""
    chosen, note = field("answer"), text_of("note")[:MAX_NOTE]
    runtime().store.write(
        lambda tx: steering.answer(tx, principal, approval_id, chosen, note), principal.id
    )
    return go(f"/sessions/{session_id}")


@pages.post("/sessions/<session_id>/steer")
def steer(principal: Principal, session_id: str) -> Response:
    """Stop the work of a session or put more into it: of whom the text names, or of all at work."""
    run, body = runtime(), text_of("body")
    what = STOP if field("what") == STOP else ALSO
    if what == ALSO or body.strip():
        body = check_body(body, run.config.max_body_bytes)
    with run.store.read() as conn:
        there = sessions.show(conn, principal, session_id)["participants"]
    named = find_named(body, [one["name"] for one in there if one["kind"] != "person"])
    how, key = Steer(what, body, named), key_of_form(principal, f"pages steer {session_id[:40]}")
    run.store.write(lambda tx: steering.steer(tx, principal, session_id, how, key), principal.id)
    return go(f"/sessions/{session_id}")
