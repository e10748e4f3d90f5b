"""What a request may use, handed to it by the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app, g

if TYPE_CHECKING:
    from flask import Flask

    from bus.clock import Clock
    from bus.config import Config
    from bus.fleet.fleet import Fleet
    from bus.ids import Ids
    from bus.live.hub import Hub
    from bus.live.presence import Presence
    from bus.live.pump import Pump
    from bus.live.tail import Tail
    from bus.notices.sender import Sender
    from bus.serving.drain import Drain
    from bus.store.store import Store
    from bus.streams.service import Spools
    from bus.wakes.keeper import Keeper
    from bus.web.limits import Coming, Limits, Places, Uses
    from bus.web.metrics import Metrics
    from bus.web.papers import Known


@dataclass(frozen=True)
class Runtime:
    """The parts of one running bus."""

    config: Config
    store: Store
    hub: Hub
    fleet: Fleet
    tail: Tail
    pump: Pump
    presence: Presence
    drain: Drain
    clock: Clock
    ids: Ids
    known: Known
    limits: Limits
    strangers: Limits
    """Lines of the log, by address."""
    guesses: Limits
    """Codes that a browser tries, by address."""
    metrics: Metrics
    places: Places
    coming: Coming
    keeper: Keeper
    sender: Sender
    tests: Limits
    """Of targets of notices, by person."""
    uses: Uses
    spools: Spools


REQUEST_CHARS = 10


def request_id() -> str:
    """Name this request, for who is told of it and for the log; one that goes well needs none."""
    if "request_id" not in g:
        g.request_id = runtime().ids.secret(REQUEST_CHARS)
    return cast("str", g.request_id)


def runtime() -> Runtime:
    """Give the parts of the bus that serves this request."""
    # The application itself: through Flask's stand-in for it each question is five calls.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's documented way
    run: Runtime = app.extensions["wakebus"]
    return run
