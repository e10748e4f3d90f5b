"""The only place that wires rooms together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, request

from bus import logs
from bus.access import api as access_api
from bus.alerts import api as alerts_api
from bus.alerts import service as alerts
from bus.board import api as board_api
from bus.board import service as board
from bus.brief import api as brief_api
from bus.clock import Clock, SystemClock
from bus.directory import api as directory_api
from bus.directory import nodes
from bus.errors import NotFoundError
from bus.guard import api as guard_api
from bus.guard import briefing, costs
from bus.ids import Ids, RandomIds
from bus.live import stream
from bus.live.hub import Hub
from bus.live.presence import Presence
from bus.live.pump import Pump
from bus.live.tail import Tail
from bus.mail import api as mail_api
from bus.mail import inbox_api, redriving_api, settling_api
from bus.mail import service as mail
from bus.runs import api as runs_api
from bus.runs import node_api as runs_node_api
from bus.runs import service as runs
from bus.serving.drain import Drain
from bus.store.store import Store
from bus.wakes import api as wakes_api
from bus.wakes import service as wakes
from bus.wakes.keeper import Keeper
from bus.web import calls, health, openapi, problems
from bus.web.limits import Coming, Limits, Places, Uses
from bus.web.metrics import Metrics
from bus.web.papers import Known
from bus.web.request import Asked
from bus.web.runtime import Runtime

if TYPE_CHECKING:
    from bus.config import Config
    from bus.store.transaction import Fact

LINES_OF_A_STRANGER_PER_S, LINES_OF_A_STRANGER_AT_ONCE = 1, 60
"""What an address that shows no token may have written into the log."""
ROUTES = (
    *(access_api, directory_api, guard_api, mail_api, inbox_api, settling_api, redriving_api),
    *(wakes_api, board_api, runs_api, runs_node_api, alerts_api, brief_api),
    *(stream, health, openapi),
)


def create_app(
    config: Config, *, clock: Clock | None = None, ids: Ids | None = None, keeper: bool = True
) -> Flask:
    """Make the application on a migrated database.

    Tests hand in their clock and ids, and do what is due by hand (`keeper=False`).
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    logs.set_up(config.log_level)
    hub, metrics = Hub(), Metrics()

    def tell(facts: list[Fact]) -> None:
        logs.log_all(facts)
        metrics.hear(facts)

    store = Store(config, clock, ids, hub.look_again, tell)
    nodes.register(store.hooks)
    mail.register(store.hooks)
    costs.register(store.hooks)
    briefing.register(store.hooks)
    wakes.register(store.hooks)
    board.register(store.hooks)
    runs.register(store.hooks)
    alerts.register(store.hooks)
    run = Runtime(
        config=config,
        store=store,
        hub=hub,
        tail=Tail(store, hub),
        pump=Pump(clock, config),
        presence=Presence(clock),
        drain=Drain(hub),
        clock=clock,
        ids=ids,
        known=Known(store, hub),
        limits=Limits(clock, config.rate_per_s, config.rate_burst),
        strangers=Limits(clock, LINES_OF_A_STRANGER_PER_S, LINES_OF_A_STRANGER_AT_ONCE),
        metrics=metrics,
        places=Places(config),
        coming=Coming(config.max_streams_each),
        keeper=Keeper(store, hub),
        uses=Uses(clock),
    )
    app = Flask("bus", static_folder=None)
    app.request_class = Asked
    app.extensions["wakebus"] = run
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False  # it would send `//` on to where the Host header says
    register(app)
    if keeper:
        run.keeper.start()
    return app


def register(app: Flask) -> None:
    """Put every room's calls on the application, with one shape for every error."""
    problems.register(app)
    for routes in ROUTES:
        routes.calls.register(app)
    app.extensions["wakebus_calls"] = [call for routes in ROUTES for call in routes.calls.calls]

    @app.before_request
    def take_no_path_in_disguise() -> None:
        path = request.environ.get("RAW_URI", "").partition("?")[0]
        if path.startswith("//") or "%2f" in path.lower():
            # No name has a slash; a proxy that goes by paths would take this for another call.
            raise NotFoundError("no path here begins with two slashes or has an encoded one")

    app.after_request(calls.note_answer)
