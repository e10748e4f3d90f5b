"""A call: a route, who may make it, what it takes; and the one way from a request to its verb."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from bus.access import service as access
from bus.errors import BodyTooLargeError, ForbiddenError
from bus.logs import log
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from bus.access.model import Principal

View = Any


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
    ) -> Callable[[Callable[..., View]], Callable[..., View]]:
        """Have a function answer a call: `view(principal, **parts of the path)`."""

        def keep(view: Callable[..., View]) -> Callable[..., View]:
            self.calls.append(Call(method, rule, who, summary, body, query, view))
            return view

        return keep

    def register(self, app: Flask) -> None:
        """Put the calls on an application."""
        for call in self.calls:
            endpoint = f"{self.room} {call.name}"
            answer = functools.partial(run, call)
            app.add_url_rule(call.rule, endpoint, answer, methods=[call.method])


def run(call: Call, **parts: Any) -> View:
    """Find out who asks, hold the limits, and answer."""
    most = runtime().config.max_request_bytes
    if (request.content_length or 0) > most:
        raise BodyTooLargeError(f"a request has at most {most} bytes")
    return call.view(admit(call), **parts) if call.who else call.view(**parts)


def admit(call: Call) -> Principal:
    """Find the principal of a request and refuse one that may not make this call."""
    run_time, headers = runtime(), request.headers
    with run_time.store.read() as conn:
        principal = access.authenticate(
            conn,
            run_time.config,
            headers.get("Authorization", ""),
            headers.get("X-Shared-Secret", ""),
            headers.get("X-Agent", ""),
        )
    g.principal = principal
    if principal.kind not in call.who:
        raise ForbiddenError(
            f"{call.name} is for {' or '.join(call.who)}; this token is of kind {principal.kind}"
        )
    run_time.limits.take(principal.id)
    return principal


def note_answer(response: Response) -> Response:
    """Count every answer, and log what changed something or failed."""
    rule = request.url_rule.rule if request.url_rule else "none"
    runtime().metrics.requests.labels(f"{request.method} {rule}", response.status_code).inc()
    if request.method != "GET" or response.status_code >= 400:
        principal = g.get("principal")
        log(
            "request_answered",
            call=f"{request.method} {rule}",
            status=response.status_code,
            principal=principal.name if principal else "",
            request=g.get("request_id", ""),
            code=g.get("problem", ""),
        )
    return response
