"""The only place that wires rooms together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus import logs
from bus.access import api as access_api
from bus.alerts import api as alerts_api
from bus.alerts import service as alerts
from bus.board import api as board_api
from bus.board import service as board
from bus.brief import api as brief_api
from bus.clock import Clock, FleetClock, SystemClock
from bus.directory import api as directory_api
from bus.directory import nodes, people_api
from bus.fleet.fleet import Fleet
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
from bus.notices import api as notices_api
from bus.notices import service as notices
from bus.notices.sender import Sender
from bus.pages import service as pages
from bus.runs import api as runs_api
from bus.runs import node_api as runs_node_api
from bus.runs import service as runs
from bus.serving.drain import Drain
from bus.sessions import api as sessions_api
from bus.sessions import entries_api, outputs_api, participants_api
from bus.sessions import service as sessions
from bus.steering import api as steering_api
from bus.steering import approvals_api
from bus.steering import service as steering
from bus.store.store import Store
from bus.streams import api as streams_api
from bus.streams import reading_api as streams_reading_api
from bus.streams import service as streams
from bus.wakes import api as wakes_api
from bus.wakes import service as wakes
from bus.wakes.keeper import Keeper
from bus.web import health, openapi
from bus.web.application import Application
from bus.web.limits import Coming, Limits, Places, Uses
from bus.web.metrics import Metrics
from bus.web.papers import Known
from bus.web.runtime import Runtime

if TYPE_CHECKING:
    from bus.config import Config
    from bus.store.transaction import Fact

PROCESS_CHARS = 8
LINES_OF_A_STRANGER_PER_S, LINES_OF_A_STRANGER_AT_ONCE = 1, 60
"""What an address that shows no token may have written into the log."""
TESTS_PER_S, TESTS_AT_ONCE = 0.1, 3
"""How often a person may try a target."""
GUESSES_PER_S, GUESSES_AT_ONCE = 0.2, 20
"""How often an address may try a code by which a browser signs in."""
ROOMS = (
    *(nodes, mail, costs, briefing, wakes, board),
    *(runs, alerts, streams, sessions, steering, notices),
)
"""Who hears of what happens and answers others' questions: those first that are asked first."""
ROUTES = (
    *(
        access_api,
        directory_api,
        people_api,
        guard_api,
        mail_api,
        inbox_api,
        settling_api,
        redriving_api,
    ),
    *(wakes_api, board_api, runs_api, runs_node_api, alerts_api, brief_api),
    *(streams_api, streams_reading_api),  # HEAD before GET, which would take it
    *(sessions_api, participants_api, entries_api, outputs_api),
    *(approvals_api, steering_api, notices_api),
    *(stream, health, openapi),
)


def create_app(
    config: Config, *, clock: Clock | None = None, ids: Ids | None = None, keeper: bool = True
) -> Application:
    """Make the application on a migrated database.

    Tests hand in their clock and ids, and do what is due by hand (`keeper=False`).
    """
    ids = ids or RandomIds()
    clock = clock or (FleetClock() if config.is_postgresql else SystemClock())
    logs.set_up(config.log_level)
    hub, metrics = Hub(), Metrics()
    fleet = make_fleet(config, ids, clock, hub)

    def tell(facts: list[Fact]) -> None:
        logs.log_all(facts)
        metrics.hear(facts)

    def look_again(topics: set[str]) -> None:
        hub.look_again(topics)
        fleet.tell(topics)

    store = Store(config, clock, ids, look_again if fleet.is_shared else hub.look_again, tell)
    for room in ROOMS:
        room.register(store.hooks)
    presence = Presence(clock, fleet.others)
    presence.register(store.hooks)
    run = Runtime(
        config=config,
        store=store,
        hub=hub,
        fleet=fleet,
        tail=Tail(store, hub),
        pump=Pump(clock, config),
        presence=presence,
        drain=Drain(hub),
        clock=clock,
        ids=ids,
        known=Known(store, hub),
        limits=Limits(clock, config.rate_per_s, config.rate_burst, fleet, "requests"),
        strangers=Limits(clock, LINES_OF_A_STRANGER_PER_S, LINES_OF_A_STRANGER_AT_ONCE),
        guesses=Limits(clock, GUESSES_PER_S, GUESSES_AT_ONCE, fleet, "guesses"),
        metrics=metrics,
        places=Places(config, fleet.others),
        coming=Coming(config.max_streams_each),
        keeper=Keeper(store, hub, fleet.keeping),
        sender=Sender(store, hub, fleet.noticing),
        tests=Limits(clock, TESTS_PER_S, TESTS_AT_ONCE, fleet, "tests"),
        uses=Uses(clock),
        spools=streams.Spools(store, hub),
    )
    app = Application()
    app.extensions["wakebus"] = run
    register(app)
    if keeper:
        fleet.start(run)
        run.keeper.start()
        run.sender.start()
    return app


def make_fleet(config: Config, ids: Ids, clock: Clock, hub: Hub) -> Fleet:
    """Make what this process is among the others, where there may be others.

    Who hands in a clock has the time stand still, and the database to itself.
    """
    if not isinstance(clock, FleetClock):
        return Fleet("")
    from bus.fleet.sharing import SharedFleet  # noqa: PLC0415 - SQLite needs none of it

    return SharedFleet(config, ids.secret(PROCESS_CHARS), clock, hub)


def register(app: Application) -> None:
    """Put every room's calls on the application."""
    for routes in ROUTES:
        routes.calls.register(app)
    app.extensions["wakebus_calls"] = [call for routes in ROUTES for call in routes.calls.calls]
    pages.register(app)
    app.finish = streams_api.allow_origin
