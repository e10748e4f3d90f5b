"""The brief: what happened since one looked last, and the button by which it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from bus.brief import service as brief
from bus.clock import DAY_MS
from bus.errors import BusError, InvalidRequestError
from bus.mail.rules import read_time
from bus.mail.service import harmless
from bus.pages.linking import link_ids
from bus.pages.routes import Pages, field, go
from bus.pages.showing import at, render
from bus.web.problems import STATUS
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from flask import Response

    from bus.access.model import Principal

pages = Pages()
MOST, LONGEST = 50, 200
SPANS = (("day", "the last day", DAY_MS), ("week", "the last week", 7 * DAY_MS))
REST = {
    "critical": "/fleet",
    "alerts": "/fleet",
    "approvals": "/sessions",
    "dead": "/fleet",
    "held": "/fleet",
    "blocked": "/board?only=blocked",
    "failed": "/runs?state=all",
    "runs": "/runs?state=all",
    "cost": "/cost",
    "results": "/messages",
    "sessions": "/sessions",
    "waiting": "/messages",
    "said": "/messages",
}
"""The page that has more of a section than a brief tells."""
GRAVE = {"critical": "bad", "failed": "bad", "dead": "bad", "alerts": "warn"}
GRAVE |= {"approvals": "warn", "blocked": "warn", "held": "warn"}


@pages.get("/brief")
def show_brief(principal: Principal) -> Response:
    return brief_page(principal)


def brief_page(principal: Principal, wrong: str = "", status: int = 200) -> Response:
    """Tell what happened, since a time that the address names or since one read last."""
    run = runtime()
    now_ms = run.clock.now_ms()
    asked, is_long = request.args.get("since", "")[:40], bool(request.args.get("long"))
    span = next((ms for name, _, ms in SPANS if name == asked), None)
    rooms = run.store.hooks.called("brief_sections")
    told: dict[str, Any] = {}
    with run.store.read() as conn:
        try:
            since_ms = now_ms - span if span else read_past(asked, now_ms)
            most = LONGEST if is_long else MOST
            told = brief.tell(conn, principal, rooms, since_ms, most, now_ms, run.config)
        except InvalidRequestError as error:
            told = brief.tell(conn, principal, rooms, None, MOST, now_ms, run.config)
            wrong, status, asked = error.detail, STATUS[error.code], ""
    return render(
        "brief.html",
        principal,
        status=status,
        told=told,
        asked=asked,
        is_long=is_long,
        is_cut=any(one["shown"] < one["total"] or one["cut"] for one in told["sections"]),
        spans=SPANS,
        rest=REST,
        grave=GRAVE,
        titles={one["section"]: one["title"] for one in told["sections"]},
        linked=lambda text: link_ids(harmless(text), at("")),
        wrong=wrong,
    )


def read_past(text: str, now_ms: int) -> int | None:
    """Read a time; none where the reader names none."""
    return read_time({"since": text or None}, ("since", ""), now_ms)


@pages.post("/brief")
def read(principal: Principal) -> Response:
    """Keep that the brief was read up to the time to which it told."""
    run = runtime()
    try:
        until_ms = read_past(field("until", 40), run.clock.now_ms())
        if until_ms is None:
            raise InvalidRequestError("this form lacks 'until': load the page again")
        run.store.write(lambda tx: brief.set_seen(tx, principal, until_ms), principal.id)
    except BusError as error:
        return brief_page(principal, error.detail, STATUS[error.code])
    return go("/brief", "read")
