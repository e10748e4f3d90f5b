"""How a page is put together: templates that escape all they are given, and strict headers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jinja2
from flask import Response, g, request
from markupsafe import Markup

from bus.errors import BusError
from bus.mail.service import harmless
from bus.pages import statics
from bus.pages.markdown import to_html
from bus.pages.navigation import PAGES
from bus.pages.times import ago, duration, whole, with_times
from bus.web.cookies import csrf_of, read_cookie
from bus.web.papers import papers_of_request
from bus.web.runtime import request_id, runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; worker-src 'self'",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it a browser says of its own forms that they come from nowhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""On every page, and on every script: a worker has the policy of its own file."""
TEMPLATES = Path(__file__).parent / "templates"
SAID = {
    "released": "Let go: it goes on.",
    "not_held": "It was not held any more.",
    "queued": "Sent again.",
    "queued_a_day": "Sent again, wanted for another day.",
    "not_sent": "Not sent again: it is no dead letter any more, or its recipient is out of reach.",
    "settled": "The alert is settled.",
    "cancelled": "Cancelled.",
    "done": "Done: it is out of your inbox.",
    "answered": "Your answer is sent.",
    "moved": "Moved.",
    "already": "It was there already.",
    "noted": "Your note is on it.",
    "added": "Added to the backlog.",
    "read": "Read: your next brief begins here.",
    "stopping": "Its node is asked to stop it.",
    "signed_out": "That browser is signed out.",
    "left": "You have left the session.",
    "target_kept": "Kept: you are told there while no page of yours is open.",
    "target_removed": "Removed: nothing is told there any more.",
}
"""What a page can say was done, by the word in its address: nobody writes onto it by a link."""


def make_environment() -> jinja2.Environment:
    """Make what reads the templates."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=show_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"static": static, "at": at}
    environment.filters |= {
        "ago": lambda at_text: ago(at_text, runtime().clock.now_ms()),
        "whole": whole,
        "duration": duration,
        "markdown": to_html,
        "with_times": with_times,
    }
    return environment


def show_harmless(value: Any) -> Any:
    """Take what steers or hides out of every text that a template shows."""
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def static(name: str) -> str:
    """Give the address of a file that comes with the pages."""
    return at(statics.address(name))


def at(path: str) -> str:
    """Give the address of one of the bus's own paths, also where a proxy has it below another."""
    return urlsplit(runtime().config.url).path.rstrip("/") + path


ENVIRONMENT = make_environment()


def render(
    template: str, principal: Principal | None = None, *, status: int = 200, **context: Any
) -> Response:
    """Make a page of a template; `principal` is who sees it."""
    token = read_cookie(runtime().config)
    csrf = csrf_of(token) if principal and token else ""
    text = ENVIRONMENT.get_template(template).render(
        person=principal.name if principal else "",
        session=principal.token_id if principal else "",
        csrf=csrf,
        token_field=lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(csrf),
        here=request.path,
        pages=PAGES,
        cursor=g.get("cursor", ""),
        said=SAID.get(request.args.get("said", ""), ""),
        **context,
    )
    return secure(Response(text, status, mimetype="text/html"))


def send_on(path: str) -> Response:
    """Send a browser on to a path of the bus, which it asks for anew; `path` is whole."""
    return secure(Response(status=303, headers={"Location": path}))


def secure(response: Response) -> Response:
    """Have a browser do with a page nothing but show it, now and to this person."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response


def find_reader() -> Principal | None:
    """Find who looks at a page that everybody is shown; a cookie that is not good is nobody."""
    papers = papers_of_request()
    if not papers.cookie:
        return None
    try:
        return runtime().known.find(papers)
    except BusError:
        return None


def show_problem(
    title: str, detail: str, status: int, *, way: str = "", word: str = ""
) -> Response:
    """Show a person what went wrong, and the way on."""
    return render(
        "problem.html",
        find_reader(),
        status=status,
        number=status,
        title=title,
        detail=detail,
        way=way or at("/"),
        word=word or "To the first page",
        request_id=request_id(),
    )
