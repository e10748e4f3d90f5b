"""Sessions: the list of one's own, what was said in any of them, and a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from bus.directory import service as directory
from bus.errors import BusError, InvalidRequestError
from bus.mail.service import Key, hash_request
from bus.pages.entries import hue, initials
from bus.pages.routes import Pages, field, go
from bus.pages.showing import render
from bus.sessions import rules
from bus.sessions import service as sessions
from bus.sessions.api import is_here
from bus.sessions.model import MAX_QUERY, MAX_TITLE, USUAL_WAKE, WAKES
from bus.web.cookies import read_form
from bus.web.problems import STATUS
from bus.web.request import read_body
from bus.web.runtime import runtime

if TYPE_CHECKING:
    import sqlalchemy as sa
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
STATES = {"open": "Open", "closed": "Closed", "all": "All"}
PAGE = 50
OFFERED = 40
"""So many names to tick; others are typed."""
LONG = 2000
KEY_CHARS = 26


@pages.get("/sessions")
def show_sessions(principal: Principal) -> Response:
    query = request.args.get("q", "").strip()[: MAX_QUERY + 1]
    return show_found(principal, query) if query else show_list(principal)


def show_list(principal: Principal, wrong: BusError | None = None) -> Response:
    """Show one's sessions, the latest first, and a form for a new one with what was wrong in it."""
    asked = request.args.get("state", "")
    state = asked if asked in STATES else "open"
    with runtime().store.read() as conn:
        known = describe_others(conn, principal)
        found = sessions.list_mine(
            conn,
            principal,
            None if state == "all" else state,
            request.args.get("after") or None,
            PAGE,
        )
    here = {one["name"] for one in known if one["is_here"]} | {principal.name}
    return render(
        "sessions.html",
        principal,
        status=200 if wrong is None else STATUS[wrong.code],
        shown=[describe_listed(one, principal.name or "", here) for one in found["sessions"]],
        next=found["next"],
        goes_on=bool(request.args.get("after")),
        state=state,
        states=STATES,
        query="",
        wakes=WAKES,
        usual=USUAL_WAKE,
        offered=known[:OFFERED],
        most_title=MAX_TITLE,
        key=runtime().ids.secret(KEY_CHARS),
        wrong=None if wrong is None else wrong.detail,
        given=read_form() if wrong else {},
    )


def describe_others(conn: sa.Connection, principal: Principal) -> list[dict[str, Any]]:
    """List whom one can talk with, people first."""
    several = directory.visible(conn, principal)
    return [
        {"name": one.name, "kind": one.kind, "is_here": is_here(one.id, one.node_id)}
        for one in sorted(several, key=lambda one: (one.kind != "person", one.name))
        if one.kind != "worker" and one.id != principal.participant_id
    ]


def describe_listed(one: dict[str, Any], me: str, here: set[str | None]) -> dict[str, Any]:
    """Give a session of the list with who is there besides oneself."""
    others = [
        {"name": name, "is_here": name in here, "hue": hue(name), "initials": initials(name)}
        for name in one["participants"]
        if name != me
    ]
    return one | {"others": others}


def show_found(principal: Principal, query: str) -> Response:
    """Show where something was said, the newest first."""
    found: dict[str, Any] = {"entries": [], "sessions": [], "next": None}
    wrong = None
    after = request.args.get("after") or None
    try:
        with runtime().store.read() as conn:
            found = sessions.search(conn, principal, None, query, after, PAGE)
    except InvalidRequestError as error:
        wrong = error
    return render(
        "found.html",
        principal,
        status=200 if wrong is None else STATUS[wrong.code],
        query=query,
        found=found,
        wrong=None if wrong is None else wrong.detail,
        state="all",
        states=STATES,
    )


@pages.post("/sessions")
def create(principal: Principal) -> Response:
    """Make a session with those who are ticked or named."""
    try:
        title, invited = rules.check_title(field("title", MAX_TITLE + 1)), read_invited()
        key = key_of_form(principal, "pages sessions")
        made = runtime().store.write(
            lambda tx: sessions.create(tx, principal, title, invited, key), principal.id
        )
    except BusError as error:
        return show_list(principal, error)
    return go(f"/sessions/{made['session_id']}")


def read_invited() -> list[sessions.Invited]:
    """Read who is to be in it: ticked, or typed as `name` or `name:rule`."""
    form = read_form()
    ticked = [name.removeprefix("in-") for name in form if name.startswith("in-")]
    typed = [one.partition(":") for one in field("others", LONG).replace(",", " ").split()]
    several = {name: form.get(f"wake-{name}") or None for name in ticked}
    several |= {name: wake or None for name, _, wake in typed}
    return [sessions.Invited(name, wake) for name, wake in several.items()]


def key_of_form(principal: Principal, what: str) -> Key | None:
    """Give the key by which a form that is sent twice as it is, is done once."""
    key, fingerprint = field("key", KEY_CHARS), hash_request(read_body())
    kept = f"{key} {fingerprint[:KEY_CHARS]}"
    return Key(principal.id, what, kept, fingerprint) if key else None
