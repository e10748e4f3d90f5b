"""A page: its address, who may see it, and the one way from a request to what is shown.

A page is a call like those of the API, with the same papers and limits, but no part of
`/openapi.json`; its answer is HTML, for this reader alone.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import g

from bus.pages.showing import at, secure, send_on
from bus.store.log import read_bounds
from bus.web import calls
from bus.web.calls import Call
from bus.web.cookies import read_form
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask, Response

    from bus.access.model import Principal

PERSON = ("person",)
View = Any


class Pages:
    """The pages of one file of this room."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def get(self, rule: str, *, who: tuple[str, ...] = PERSON) -> Callable[[View], View]:
        """Have a function show a page: `view(principal, **parts)` gives a response."""
        return self._add("GET", rule, who, shown_to(who))

    def post(self, rule: str, *, who: tuple[str, ...] = PERSON) -> Callable[[View], View]:
        """Have a function do what a form asks: `view(principal, **parts)`; see `read_form`."""
        return self._add("POST", rule, who, shown_to(who))

    def file(self, rule: str) -> Callable[[View], View]:
        """Have a function give a file to whoever asks, with headers of its own."""
        return self._add("GET", rule, (), lambda view: view)

    def _add(
        self, method: str, rule: str, who: tuple[str, ...], shows: Callable[[View], View]
    ) -> Callable[[View], View]:
        def keep(view: View) -> View:
            self.calls.append(Call(method, rule, who, "", None, None, shows(view)))
            return view

        return keep

    def register(self, app: Flask) -> None:
        """Put the pages on an application."""
        for call in self.calls:
            app.add_url_rule(
                call.rule,
                f"pages {call.name}",
                functools.partial(calls.run, call, app.extensions["wakebus"]),
                methods=[call.method],
                provide_automatic_options=False,
            )


def shown_to(who: tuple[str, ...]) -> Callable[[View], View]:
    """Choose how a page is shown: as somebody, or to whoever asks."""
    return lambda view: functools.partial(show if who else show_open, view)


def show(view: View, principal: Principal, **parts: str) -> Response:
    """Show a page as somebody; what happens after it was begun comes on its stream."""
    with runtime().store.read() as conn:
        bounds = read_bounds(conn)
    g.cursor = f"{bounds.epoch}-{bounds.head}"
    return secure(view(principal, **parts))


def show_open(view: View, **parts: str) -> Response:
    """Show a page to whoever asks."""
    return secure(view(**parts))


def go(path: str, said: str = "") -> Response:
    """Send a browser on to a page of the bus, which may say what was done: a word of `SAID`."""
    return send_on(at(path) + (f"?said={quote(said)}" if said else ""))


def field(name: str, most: int = 200) -> str:
    """Give a field of the form that was sent, bounded."""
    return read_form().get(name, "")[:most]
