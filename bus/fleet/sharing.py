"""A process of the bus on a PostgreSQL: what it says to the others, hears of them and does for all.

It has connections of its own for that, past any pooler and beside the writer's, and a greenlet for
each. Hints and rows are about now; the truth is the database's, where `watch` looks for what was
not heard.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import gevent

from bus.errors import StorageFailedError
from bus.fleet.beats import Beats
from bus.fleet.duties import Duties
from bus.fleet.fleet import Fleet
from bus.fleet.hints import Ear, Mouth
from bus.fleet.line import Line
from bus.fleet.watch import Watch
from bus.store import processes as rows
from bus.store.transaction import RIGHTS

if TYPE_CHECKING:
    from collections.abc import Collection

    from bus.clock import FleetClock
    from bus.config import Config
    from bus.live.hub import Hub
    from bus.web.runtime import Runtime

LEAVE_S = 1.0
FLEET = "fleet"
"""The topic of what the processes hold."""


class SharedFleet(Fleet):
    """One process of several."""

    is_shared = True

    def __init__(self, config: Config, process_id: str, clock: FleetClock, hub: Hub) -> None:
        super().__init__(process_id)
        self._clock, self._hub = clock, hub
        url = config.notify_url or config.database_url
        self._desk, self._draws = Line(url, "fleet"), Line(url, "limits")
        self._mouth = Mouth(url, process_id)
        self._ear = Ear(url, self._mouth, self._hear, self._note_hearing)
        self._watch = Watch(self._desk, config.poll_s, hub, self._note_hearing)
        self._duties = Duties(process_id, clock, self._desk, hub.look_everywhere)
        self._beats = Beats(process_id, clock, self._desk, self._duties)
        self.keeping, self.noticing = self._duties.keeping, self._duties.noticing
        self._greenlets: list[gevent.Greenlet] = []
        self._last_stamp = 0

    def start(self, run: Runtime) -> None:
        self._hub.is_deaf = True
        run.presence.changed = self._beats.note_change
        # Before anything is written: whose time it is. Where nobody answers, nothing is written.
        self._beats.attempt(self._beats.beat, run)
        loops = (self._ear.run, self._mouth.run, self._watch.run)
        self._greenlets = [gevent.spawn(loop) for loop in loops]
        self._greenlets.append(gevent.spawn(self._beats.run, run))

    def leave(self) -> None:
        gevent.killall(self._greenlets)
        # A database that does not answer must not hold the end up: the rows run out by themselves.
        with suppress(StorageFailedError), gevent.Timeout(LEAVE_S, False):
            self._duties.end()
            self._desk.ask(rows.LEAVE, (self.id,))
            self._mouth.say_last([FLEET])

    def tell(self, topics: Collection[str] | None) -> None:
        if self.live > 1 or (topics and RIGHTS in topics):
            self._mouth.say(topics)

    def speak(self, *, is_news: bool) -> None:
        self._mouth.say([FLEET] if is_news else [])

    def stamp(self) -> int:
        try:
            now_us: int = self._desk.ask(rows.NOW)[0][0]
        except StorageFailedError:
            now_us = self._clock.now_ms() * 1000
        self._last_stamp = max(self._last_stamp + 1, now_us)
        return self._last_stamp

    def draw(self, name: str, rate_per_s: float, burst: int, block: int) -> tuple[int, float]:
        values = {"name": name, "rate": rate_per_s, "burst": burst, "block": block}
        given, left = self._draws.ask(rows.DRAW, values)[0]
        return int(given), left

    @property
    def trouble(self) -> str:
        return self._beats.trouble

    @property
    def hints_lost(self) -> int:
        return self._ear.losses

    def _hear(self, _speaker: str, topics: list[str] | None) -> None:
        """Take a hint of another process."""
        if topics is None:
            self._hub.look_everywhere()
        elif topics:
            self._hub.look_again(topics)
        if topics is None or FLEET in topics:
            self._beats.look()

    def _note_hearing(self) -> None:
        """Hear that hints are heard again, or not any more."""
        hears = self._ear.hears and self._watch.sees
        if hears and self._hub.is_deaf:
            self._hub.look_everywhere()
        self._hub.is_deaf = not hears
