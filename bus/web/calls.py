"""A call: a route, who may make it, what it takes; and the one way from a request to its verb."""

from __future__ import annotations

import functools
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent
from flask import current_app, g
from werkzeug.routing import BaseConverter, Map

from bus.access import rotation
from bus.errors import (
    BodyTooLargeError,
    BusError,
    ForbiddenError,
    MethodNotAllowedError,
    UnauthorizedError,
)
from bus.logs import log
from bus.web.cookies import check_csrf, check_origin
from bus.web.papers import papers_of_request
from bus.web.request import read_body, the_request
from bus.web.runtime import request_id, runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec
    from flask import Flask

    from bus.access.model import Principal
    from bus.store.store import Store
    from bus.web.papers import Papers
    from bus.web.request import Asked
    from bus.web.runtime import Runtime

View = Any
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""On every answer that does not say otherwise: others' text is never a page, and never kept."""
AT_ONCE_S = 0.005
"""A body that is here so soon came with its head."""
MOST_BYTES_OF_A_STRANGER = 16_384
"""Enough for an enrolment; who shows no token fills no memory."""


@dataclass(frozen=True)
class Call:
    """One row of the table of calls. `who` empty means open to all."""

    method: str
    rule: str
    who: tuple[str, ...]
    summary: str
    body: Any
    query: type[msgspec.Struct] | None
    view: Callable[..., View]
    is_told: bool = False
    """Its room writes lines of its own of what it did."""

    @property
    def name(self) -> str:
        """Name the call as a person would."""
        return f"{self.method} {self.rule}"


class Calls:
    """The calls of one room."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.calls: list[Call] = []

    def add(  # noqa: PLR0913 - a call is described by that many facts
        self,
        method: str,
        rule: str,
        *,
        who: tuple[str, ...],
        summary: str,
        body: Any = None,
        query: type[msgspec.Struct] | None = None,
        is_told: bool = False,
    ) -> Callable[[Callable[..., View]], Callable[..., View]]:
        """Have a function answer a call: `view(principal, **parts of the path)`."""

        def keep(view: Callable[..., View]) -> Callable[..., View]:
            self.calls.append(Call(method, rule, who, summary, body, query, view, is_told))
            return view

        return keep

    def register(self, app: Flask) -> None:
        """Put the calls on an application."""
        app.url_map.converters["other"] = Other
        for call in self.calls:
            endpoint = f"{self.room} {call.name}"
            answer = functools.partial(run, call, app.extensions["wakebus"])
            # Flask would answer OPTIONS by itself, whoever asks.
            app.add_url_rule(
                rule_beside(call, self.calls),
                endpoint,
                answer,
                methods=[call.method],
                provide_automatic_options=False,
            )


class Other(BaseConverter):
    """A part of a path that is none of some words."""

    def __init__(self, of: Map, *words: str) -> None:
        """Take the words that have routes of their own."""
        super().__init__(of)
        self.regex = rf"(?!(?:{'|'.join(words)})\Z)[^/]+"


def rule_beside(call: Call, calls: list[Call]) -> str:
    """Write a call's rule so that a name in it is never the word of a call beside it.

    `/api/nodes/self` is not the node `self`, so it takes no other methods than its own.
    """
    head, _, last = call.rule.rpartition("/")
    beside = (other.rule.rpartition("/") for other in calls)
    words = sorted({word for path, _, word in beside if path == head and word[0] != "<"})
    if not words or last[0] != "<":
        return call.rule
    return f"{head}/<other({', '.join(words)}):{last[1:]}"


def run(call: Call, run_time: Runtime, **parts: Any) -> View:
    """Find out who asks, hold the limits, and answer."""
    asked = the_request()
    asked.is_told = call.is_told
    if asked.method == "HEAD" and call.who and call.method != "HEAD":
        raise MethodNotAllowedError("HEAD would do what GET does and show nothing of it: use GET")
    most = run_time.config.max_request_bytes if call.who else MOST_BYTES_OF_A_STRANGER
    if (asked.content_length or 0) > most:
        raise BodyTooLargeError(f"this request has at most {most} bytes")
    asked.most_bytes = most
    if not call.who:
        return call.view(**parts)
    return call.view(admit_with_body(call, run_time, asked), **parts)


def admit_with_body(call: Call, run_time: Runtime, asked: Asked) -> Principal:
    """Find the principal, again after a body that was long in coming: it may be revoked since."""
    papers = papers_of_request()
    principal = admit(call, run_time, asked, papers)
    if call.method in {"GET", "HEAD"}:
        return principal
    began_s = run_time.clock.monotonic_s()
    with run_time.coming.take(principal):
        read_body()
    if papers.cookie:
        check_csrf(papers.cookie)
    if run_time.clock.monotonic_s() - began_s < AT_ONCE_S:
        return principal
    return run_time.known.find(papers)


def admit(call: Call, run_time: Runtime, asked: Asked, papers: Papers) -> Principal:
    """Find the principal of a request and refuse one that may not make this call."""
    try:
        principal = run_time.known.find(papers)
    except UnauthorizedError:
        # Guessing has a limit of its own, by address, or the log would be the guesser's.
        run_time.limits.take(f"refused {asked.remote_addr}")
        raise
    if papers.cookie:
        check_origin(run_time.config)
    asked.principal = principal
    trust = current_app.extensions.get("wakebus_trust")
    if trust is not None:
        trust(asked.environ.get("gunicorn.socket"))
    if principal.kind not in call.who:
        raise ForbiddenError(
            f"{call.name} is for {' or '.join(call.who)}; this token is of kind {principal.kind}"
        )
    run_time.limits.take(principal.id)
    note_use(run_time, principal.token_id)
    return principal


def note_use(run_time: Runtime, token_id: str) -> None:
    """Keep, aside from the request and once a minute at most, that a token is in use."""
    if token_id and run_time.uses.is_new(token_id):
        gevent.spawn(write_use, run_time.store, token_id)


def write_use(store: Store, token_id: str) -> None:
    """Write it; a fault of the disk concerns nobody here."""
    with suppress(BusError):
        store.write(lambda tx: rotation.note_use(tx, token_id))


def note_answer(asked: Asked, status: int) -> None:
    """Count every answer, and log what changed something or failed."""
    run_time = runtime()
    rule = asked.url_rule.endpoint.rpartition(" ")[2] if asked.url_rule else ""
    known = f"{asked.method} {rule}" if rule else "other"
    run_time.metrics.count(known, status)
    principal = asked.principal
    failed = status >= 400
    changed = asked.method != "GET" and not asked.is_told
    if (failed or changed) and (principal or run_time.strangers.has_room(asked.remote_addr or "")):
        log(
            "request_answered",
            call=known,
            status=status,
            principal=principal.name if principal else "",
            request=request_id(),
            code=g.get("problem", ""),
        )
