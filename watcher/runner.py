"""One wake from "we have it" to its end: report, run the method, report.

It must not know how a method works, nor the order in which turns run.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from watcher import log
from watcher.bus import BusError
from watcher.called import Called
from watcher.methods import BLIND, WITHOUT_A_TARGET, name_meant
from watcher.methods.base import Outcome, find_strange
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

    def __init__(  # noqa: PLR0913, PLR0917 - the parts, each made elsewhere
        self,
        settings: Settings,
        bus: Bus,
        methods: Methods,
        clock: Clock,
        stop: threading.Event,
        look_at_roster: Callable[[], None] = lambda: None,
    ) -> None:
        """Take `look_at_roster`, which learns of agents that were renamed."""
        self._look_at_roster = look_at_roster
        self._settings = settings
        self._bus = bus
        self._methods = methods
        self._clock = clock
        self._stop = stop
        self._called = Called(settings.folder.called_file, clock)

    def run(self, ask: Ask, forget: Callable[[], None]) -> None:
        """Run the turn of one wake; `forget` is called just before its end is reported.

        Not for a blind method's call: that wake stays open on the bus, and must not be taken anew.
        """
        report = WakeReport(self._bus, ask, self._clock, self._stop)
        if self._was_called(ask, report):
            return
        try:
            wake = report.received()
        except BusError as error:
            log.warn("wake_refused", wake=ask.wake_id, code=error.code, reason=error.detail)
            return
        if wake is None:
            return
        outcome = self._run_method(wake, report)
        if outcome.state != "requested":
            self._called.drop(ask.wake_id)
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
        if outcome.state == "requested":
            self._called.note(ask.wake_id, report.method)
            self._finish_call(ask, report, outcome)
        else:
            forget()
            report.finish(outcome)

    def _was_called(self, ask: Ask, report: WakeReport) -> bool:
        """Say whether a blind method was called for this wake; report it where that is owed."""
        method = self._called.find(ask.wake_id)
        if method is not None:
            report.method = method
            outcome = Outcome("requested", "called before, and reported now")
            self._finish_call(ask, report, outcome)
        return method is not None or self._called.is_reported(ask.wake_id)

    def _finish_call(self, ask: Ask, report: WakeReport, outcome: Outcome) -> None:
        if report.finish(outcome):
            self._called.close(ask.wake_id)

    def _run_method(self, wake: Wake, report: WakeReport) -> Outcome:
        agent = self._settings.agents.get(wake.agent)
        if agent is None:
            self._look_at_roster()
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
        if name_meant(agent) not in WITHOUT_A_TARGET:
            trouble = find_strange(agent)
            if trouble:
                return Outcome("no_turn", trouble)
        try:
            report.method = self._methods.name_of(agent)
            if report.method in BLIND and not wake.turn_id:
                self._called.begin(wake.wake_id, report.method)
            return self._methods.find(agent).run(wake, agent, report, self._stop)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not look like a living turn
            log.warn("method_crashed", wake=wake.wake_id, agent=wake.agent, error=repr(error))
            reason = f"the watcher's own fault: {type(error).__name__}: {error}"
            return Outcome("failed" if report.is_admitted else "no_turn", reason)
