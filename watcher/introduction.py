"""Tells the bus how each agent of this node is reached: at the start, and when that changes.

In a thread of its own, because probing can take seconds. It must not know how a method works.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from watcher import __version__, log
from watcher.bus import BusError
from watcher.methods.base import NONE, Choice
from watcher.persist import persist

if TYPE_CHECKING:
    from watcher.bus import Bus
    from watcher.clock import Clock
    from watcher.methods import Methods
    from watcher.settings import AgentSettings, Settings

LOOK_AGAIN_S = 60.0


class Introduction:
    """What the bus's directory is told of this node."""

    def __init__(
        self, settings: Settings, bus: Bus, methods: Methods, clock: Clock, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._methods = methods
        self._clock = clock
        self._stop = stop
        self._told: dict[str, Choice] = {}

    def start(self) -> threading.Thread:
        """Begin, until the stop."""
        thread = threading.Thread(target=self._run, name="introduction", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        is_first = True
        while is_first or not self._clock.wait(self._stop, LOOK_AGAIN_S):
            chosen = {name: self._choose(each) for name, each in self._settings.agents.items()}
            if is_first or chosen != self._told:
                self._tell(chosen)
            is_first = False

    def _choose(self, agent: AgentSettings) -> Choice:
        try:
            return self._methods.choose(agent)
        except Exception as error:  # noqa: BLE001 - one method's fault must not hide the rest
            return Choice(NONE, f"cannot be woken: probing failed: {error!r}")

    def _tell(self, chosen: dict[str, Choice]) -> None:
        for name, choice in chosen.items():
            if self._told.get(name) != choice:
                log.say("agent_introduced", agent=name, method=choice.name, why=choice.why)
        self._told = chosen
        methods = {name: {"method": each.name, "why": each.why} for name, each in chosen.items()}
        body = {"version": __version__, "methods": methods}
        try:
            persist(
                lambda: self._bus.post("/api/nodes/self", body),
                self._clock,
                self._stop,
                despite_token=True,
            )
        except BusError as error:
            log.warn("introduction_refused", code=error.code, reason=error.detail)
