"""That this process lives, and what it holds: said every two seconds, and what changes at once.

With each beat it reads what the others hold and renews what it does for all; it buries whoever has
said nothing for ten seconds of the database's time.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from bus.clock import DAY_MS
from bus.errors import BusError
from bus.live.comings import look_after
from bus.live.others import Standing
from bus.logs import log
from bus.store import processes as rows
from bus.store.told import all_told
from bus.store.transaction import KEEPER

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.clock import FleetClock
    from bus.fleet.duties import Duties
    from bus.fleet.line import Line
    from bus.web.runtime import Runtime

BEAT_S = 2.0
GATHER_S = 0.1
"""What changes within it is said together."""
BUCKETS_KEPT_S = 3600.0


class Beats:
    """What a process says of itself, and reads of the others."""

    def __init__(self, process_id: str, clock: FleetClock, line: Line, duties: Duties) -> None:
        self._id, self._clock, self._line, self._duties = process_id, clock, line, duties
        self._news = Event()
        self._has_changed = self._is_begun = False
        self._oldest_ms = 0
        self._forgot_s = clock.monotonic_s()
        self.trouble = ""
        """Why the others cannot be asked, where that is so."""

    def note_change(self) -> None:
        """Have the others hear of what has changed here."""
        self._has_changed = True
        self._news.set()

    def look(self) -> None:
        """Have it read again what the others hold."""
        self._news.set()

    def run(self, run: Runtime) -> None:
        """Live with the others for as long as the process does."""
        beat_s = self._clock.monotonic_s() + BEAT_S
        while True:
            self._news.wait(max(0.0, beat_s - self._clock.monotonic_s()))
            self._news.clear()
            if self._clock.monotonic_s() >= beat_s:
                self.attempt(self.beat, run)
                beat_s = self._clock.monotonic_s() + BEAT_S
            else:
                self.attempt(self._say if self._has_changed else self._read_others, run)
            gevent.sleep(GATHER_S)

    def attempt(self, do: Callable[[Runtime], None], run: Runtime) -> None:
        """Do something; what fails is done again with the next beat."""
        trouble = ""
        try:
            do(run)
        except BusError as error:
            trouble = error.detail
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
            logging.getLogger("bus").debug("fault", exc_info=error)
        if trouble and not self.trouble:
            log("fleet_failed", logging.ERROR, detail=trouble)
        elif self.trouble and not trouble:
            log("fleet_works_again", logging.WARNING)
        self.trouble = trouble

    def beat(self, run: Runtime) -> None:
        """Say that this process lives, and do what goes with it."""
        asked_s = self._clock.monotonic_s()
        self._say(run)
        for process_id, host, pid in self._line.ask(rows.BURY):
            log("process_lost", logging.WARNING, process=process_id, host=host, pid=pid)
        self._read_others(run)
        self._duties.renew(asked_s, self._oldest_ms)
        self._follow_time(run)
        if self._duties.keeping.is_mine and asked_s - self._forgot_s > BUCKETS_KEPT_S:
            self._forgot_s = asked_s
            self._line.ask(rows.FORGET, (round(BUCKETS_KEPT_S * 1000),))

    def _say(self, run: Runtime) -> None:
        is_news, self._has_changed = self._has_changed or not self._is_begun, False
        state = run.presence.say() | {"places": run.places.say()}
        clock = self._clock
        state |= {"lead_ms": clock.lead_ms(), "off_ms": clock.machine_off_ms()}
        text = json.dumps(state, separators=(",", ":"))
        try:
            sent_ms = clock.steady_ms()
            values = (self._id, socket.gethostname(), os.getpid(), text)
            clock.learn(self._line.ask(rows.BEAT, values)[0][0], sent_ms)
        except BusError:
            self._has_changed = is_news
            raise
        run.fleet.speak(is_news=is_news)

    def _read_others(self, run: Runtime) -> None:
        """Learn who else lives, and what they hold."""
        lives, leads = [], [0]
        others: dict[str, Standing] = {}
        for process_id, started_ms, text in self._line.ask(rows.ALL):
            lives.append((started_ms, process_id))
            if process_id != self._id:
                said = json.loads(text)
                others[process_id] = Standing.read(process_id, said)
                leads.append(said.get("lead_ms", 0))
        self._oldest_ms, oldest = min(lives, default=(0, ""))
        fleet = run.fleet
        gone = fleet.others.processes - set(others)
        was_alone = fleet.live == 1
        missed = fleet.others.people_of(gone)
        fleet.others.learn(others)
        fleet.live = run.store.writer.sharers = len(others) + 1
        if not self._is_begun:
            self._begin(run, leads, is_oldest=oldest == self._id)
        elif was_alone and others:
            fleet.tell(None)  # what was committed before it was known that somebody hears
        if gone:
            log("process_gone", processes=" ".join(sorted(gone)), live=fleet.live)
            run.hub.look_everywhere()  # what it had committed and not told of
            look_after(run, missed)
        run.presence.yield_to_others()

    def _begin(self, run: Runtime, leads: list[int], *, is_oldest: bool) -> None:
        """Join the others: theirs is the time; and whoever was told to be here may have gone.

        Of several that begin together one sees to that, the oldest.
        """
        self._clock.join(max(leads))
        if is_oldest:
            with run.store.read() as conn:
                look_after(run, all_told(conn))
        self._is_begun = True
        log("process_began", process=self._id, live=run.fleet.live)

    def _follow_time(self, run: Runtime) -> None:
        """Go with a step of the database's clock forward; who keeps house does it there."""
        off_ms = self._clock.off_ms()
        if off_ms and self._duties.keeping.is_mine:
            run.hub.look_again({KEEPER})
        elif 0 < off_ms <= DAY_MS:
            self._clock.follow()
