"""One wake from "we have it" to its end: report, run the method, report.

It must not know how a method works, nor the order in which turns run.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from watcher import log
from watcher.bus import BusError
from watcher.methods.base import Outcome
from watcher.wakes import WakeReport

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from watcher.bus import Bus
    from watcher.clock import Clock
    from watcher.methods import Methods
    from watcher.methods.base import Wake
    from watcher.settings import Settings
    from watcher.wakes import Ask

KNOWN_DESPITE_STOP = frozenset({"ended", "requested"})


class Runner:
    """Runs turns, each call in a thread of its own."""

    def __init__(
        self, settings: Settings, bus: Bus, methods: Methods, clock: Clock, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._methods = methods
        self._clock = clock
        self._stop = stop

    def run(self, ask: Ask, forget: Callable[[], None]) -> None:
        """Run the turn of one wake; `forget` is called just before the end is reported."""
        report = WakeReport(self._bus, ask, self._clock, self._stop)
        try:
            wake = report.received()
        except BusError as error:
            log.warn("wake_refused", wake=ask.wake_id, code=error.code, reason=error.detail)
            return
        if wake is None:
            return
        outcome = self._run_method(wake, report)
        log.say(
            "turn_finished",
            wake=ask.wake_id,
            agent=ask.agent,
            method=report.method or None,
            state=outcome.state,
            reason=outcome.reason or None,
        )
        if self._stop.is_set() and outcome.state not in KNOWN_DESPITE_STOP:
            return  # the stop may be its cause: the next life finds the wake open and looks again
        forget()
        report.finish(outcome)

    def _run_method(self, wake: Wake, report: WakeReport) -> Outcome:
        agent = self._settings.agents.get(wake.agent)
        if agent is None:
            return Outcome(
                "no_turn",
                f"{wake.agent} is not set up on node {self._settings.node}: make a new code with "
                f"`bus node code {self._settings.node}` and run bus-watcher enrol there",
            )
        # the bus's directory is newer than what was written here at enrolment
        agent = dataclasses.replace(
            agent,
            local_agent=wake.local_agent or agent.local_agent,
            session_key=wake.session_key or agent.session_key,
        )
        try:
            report.method = self._methods.choose(agent)[0]
            return self._methods.find(agent).run(wake, agent, report, self._stop)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not look like a living turn
            log.warn("method_crashed", wake=wake.wake_id, agent=wake.agent, error=repr(error))
            reason = f"the watcher's own fault: {type(error).__name__}: {error}"
            return Outcome("failed" if report.is_admitted else "no_turn", reason)
