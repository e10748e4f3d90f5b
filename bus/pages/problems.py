"""Errors for people who look at pages; whatever else calls gets problem+json as everywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, urlsplit

from flask import current_app, request

from bus.directory.signin import PATH as SIGN_IN
from bus.errors import ForbiddenError, UnauthorizedError
from bus.pages.showing import at, send_on, show_problem

if TYPE_CHECKING:
    from flask import Response

    from bus.errors import BusError
    from bus.web.application import Application

MACHINES = re.compile(r"/(api|streams|static)/|/(metrics|healthz|readyz|openapi\.json)$")
WAY_BACK = re.compile(r"/(?![/\\])[A-Za-z0-9._~/?=&%-]{0,500}")
TITLES = {401: "Sign in first", 403: "Not yours to do", 404: "Nothing here", 413: "Too long"}
ELSEWHERE = {"cross-site", "same-site"}


def show_error(error: BusError, status: int) -> Response | None:
    """Show an error as a page where a person looks at one; None where it is another who asks."""
    if MACHINES.match(request.path) or "text/html" not in request.headers.get("Accept", ""):
        return None
    came_from_elsewhere = (
        request.method == "GET" and request.headers.get("Sec-Fetch-Site") in ELSEWHERE
    )
    if isinstance(error, UnauthorizedError | ForbiddenError) and came_from_elsewhere:
        # The browser kept the cookie back, or would have been made to show it: one click is needed.
        return show_problem(
            "You come from another site",
            "To keep other sites from acting for you, this page opens only from here.",
            status,
            way=at(here()),
            word="Open the page",
        )
    if isinstance(error, UnauthorizedError):
        to = here() if request.method == "GET" else "/"
        if request.method == "GET":
            return send_on(f"{at(SIGN_IN)}?to={quote(to, safe='')}")
        detail = "You are not signed in any more, so nothing was done."
        return show_problem(TITLES[401], detail, status, way=at(SIGN_IN), word="Sign in")
    title = TITLES.get(status, error.title)
    if request.method == "GET":
        return show_problem(title, error.detail, status)
    return show_problem(title, error.detail, status, way=came_from(), word="Back")


def came_from() -> str:
    """Give the page of the bus that a form stands on, as the browser says it.

    One that was the answer to a form itself is not there to be asked for: the first of its kind is.
    """
    parts, base = urlsplit(request.referrer or ""), at("")
    path = parts.path.removeprefix(base)
    way = check_way(path + (f"?{parts.query}" if parts.query else ""))
    app = cast("Application", current_app)
    if app.has_page(path):
        return at(way)
    way = f"/{path.strip('/').partition('/')[0]}"
    return at(way) if app.has_page(way) else at("/")


def here() -> str:
    """Give the address of the page that was asked for, as a way back to it."""
    query = request.query_string.decode("latin-1")
    return check_way(request.path + (f"?{query}" if query else ""))


def check_way(path: str) -> str:
    """Give a way back, or the first page where it would lead elsewhere."""
    return path if WAY_BACK.fullmatch(path) else "/"
