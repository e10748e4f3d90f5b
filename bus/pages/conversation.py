"""A session as a conversation: a page of entries, who is there, and what one can do in it.

The same entries come as a fragment, which `log.js` puts in where they belong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from bus.errors import InvalidRequestError
from bus.pages.entries import describe, hue, initials
from bus.pages.routes import Pages, field, go
from bus.pages.sessions import KEY_CHARS, describe_others, key_of_form
from bus.pages.showing import render
from bus.sessions import rules
from bus.sessions import service as sessions
from bus.sessions.api import is_here
from bus.sessions.model import MAX_TITLE, MESSAGE, USUAL_WAKE, WAKES
from bus.streams import service as streams
from bus.web.cookies import read_form
from bus.web.runtime import runtime

if TYPE_CHECKING:
    import sqlalchemy as sa
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
PAGE, MOST = 100, 200
SAID_SO_FAR = 65_536
"""So many bytes of what is just being said stand in a page; a script reads the rest."""


@pages.get("/sessions/<session_id>")
def conversation(principal: Principal, session_id: str) -> Response:
    with runtime().store.read() as conn:
        session = sessions.show(conn, principal, session_id, is_here)
        page = read_entries(conn, principal, session_id, session["me"])
        known = describe_others(conn, principal)
    there = {one["name"] for one in session["participants"]}
    asked = request.args
    return render(
        "conversation.html",
        principal,
        title=session["title"],
        one=session,
        page=page,
        is_newest=not any(name in asked for name in ("before", "after", "at")),
        others=[one for one in known if one["name"] not in there],
        most_title=MAX_TITLE,
        key=runtime().ids.secret(KEY_CHARS),
        **about_people(session),
    )


@pages.get("/sessions/<session_id>/entries")
def entries(principal: Principal, session_id: str) -> Response:
    """Give a page of entries alone."""
    with runtime().store.read() as conn:
        page = read_entries(conn, principal, session_id, principal.name or "")
    return render("entries.html", principal, page=page)


@pages.get("/sessions/<session_id>/people")
def people(principal: Principal, session_id: str) -> Response:
    """Give who is in it, and who is there now, alone."""
    with runtime().store.read() as conn:
        session = sessions.show(conn, principal, session_id, is_here)
    return render("people.html", principal, one=session, **about_people(session))


def about_people(session: dict[str, Any]) -> dict[str, Any]:
    """Give those in a session as they are shown, who is there first."""
    several = [
        one | {"hue": hue(one["name"]), "initials": initials(one["name"])}
        for one in session["participants"]
    ]
    several.sort(key=lambda one: (one["name"] != session["me"], not one["online"], one["name"]))
    return {"people": several, "wakes": WAKES, "usual": USUAL_WAKE}


def read_entries(
    conn: sa.Connection, principal: Principal, session_id: str, me: str
) -> dict[str, Any]:
    """Read the entries that the address asks for: beside a place, around one, the newest."""
    limit = min(read_place("limit") or PAGE, MOST)
    before, after, around = (read_place(name) for name in ("before", "after", "at"))
    if around is not None:
        after = max(0, around - limit // 2)
    asked = sessions.Page(limit, None if around is not None else before, after)
    page = sessions.show_page(conn, principal, session_id, asked)
    shown = describe(page["entries"], me)
    for one in shown:
        row = streams.find_stream(conn, one["stream"]) if one["stream"] else None
        if row is not None and row.session_id == page["session_id"]:
            said = streams.read_text(conn, row.id, SAID_SO_FAR)
            one["body"] = one["body"] if said is None else said.text
    return page | {"entries": shown}


def read_place(name: str) -> int | None:
    """Read a place from the address."""
    text = request.args.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequestError(f"'{name}' is the place of an entry: a number")
    return int(text)


@pages.post("/sessions/<session_id>/say")
def say(principal: Principal, session_id: str) -> Response:
    body = rules.check_body(text_of("body"), runtime().config.max_body_bytes)
    word = sessions.Word(MESSAGE, body, trust=principal.trust)
    key = key_of_form(principal, f"pages say {session_id[:40]}")
    runtime().store.write(
        lambda tx: sessions.say(tx, principal, session_id, word, key), principal.id
    )
    return go(f"/sessions/{session_id}")


def text_of(name: str) -> str:
    """Give a text of the form with the line ends that were typed."""
    return read_form().get(name, "").replace("\r\n", "\n")


@pages.post("/sessions/<session_id>/read")
def have_read(principal: Principal, session_id: str) -> Response:
    """Take it as read, up to a place."""
    place = int(field("place", 15)) if field("place", 15).isdecimal() else 0
    runtime().store.write(
        lambda tx: sessions.move_cursor(tx, principal, session_id, place), principal.id
    )
    return go(f"/sessions/{session_id}")


@pages.post("/sessions/<session_id>/change")
def change(principal: Principal, session_id: str) -> Response:
    """Give it another title, close it, or open it again."""
    title = field("title", MAX_TITLE + 1)
    state = field("state") if field("state") in {"open", "closed"} else None
    new = rules.check_title(title) if title or state is None else None
    runtime().store.write(
        lambda tx: sessions.change(tx, principal, session_id, new, state), principal.id
    )
    return go(f"/sessions/{session_id}")


@pages.post("/sessions/<session_id>/invite")
def invite(principal: Principal, session_id: str) -> Response:
    invited = [sessions.Invited(field("name"), field("wake") or None)]
    runtime().store.write(
        lambda tx: sessions.invite(tx, principal, session_id, invited), principal.id
    )
    return go(f"/sessions/{session_id}")


@pages.post("/sessions/<session_id>/wake")
def set_wake(principal: Principal, session_id: str) -> Response:
    """Set by what an agent is woken."""
    name, wake = field("name"), field("wake")
    runtime().store.write(
        lambda tx: sessions.set_wake(tx, principal, session_id, name, wake), principal.id
    )
    return go(f"/sessions/{session_id}")


@pages.post("/sessions/<session_id>/leave")
def leave(principal: Principal, session_id: str) -> Response:
    """Leave, or remove whom the form names."""
    name = field("name") or "me"
    runtime().store.write(lambda tx: sessions.leave(tx, principal, session_id, name), principal.id)
    is_self = name in {"me", principal.name}
    return go("/sessions", "left") if is_self else go(f"/sessions/{session_id}")
